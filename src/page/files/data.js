// What the playground's network is shown: the server's datasets, a preset's own batch, or points that a visitor sets.

import { look } from "./api.js";

/** Rows that are fetched to be drawn. */
const ROWS = 1000;
/** The four corners of "either, but not both": where a visitor's own points start. */
const CORNERS = { inputs: [[0, 0], [0, 1], [1, 0], [1, 1]], targets: [[0], [1], [1], [0]] };

/** The datasets there are to choose from: `[{ name, title }]`. A visitor's own points are always among them. */
export async function dataChoices() {
  const own = { name: "own", title: "Your own points" };
  const { datasets } = await look("GET", "/v1/datasets");
  return [...datasets.map(({ name, title }) => ({ name, title })), own];
}

/** A visitor's points; by default the four corners. */
export function ownData(points = CORNERS) {
  return described({ name: "own", own: true, ...structuredClone(points) });
}

/** A preset's batch. */
export function presetData({ data }) {
  return described({ name: "preset", ...data });
}

/** No data, for a network that none here have the shape of. */
export function noData(shape) {
  return { name: "none", inputs: [], targets: [], shape };
}

/** A dataset of the server, with its rows. */
export async function loadData({ name, seed, noise, examples }) {
  const settings = Object.entries({ seed, noise, examples }).filter(([, value]) => value != null);
  const query = new URLSearchParams([...settings, ["rows", "true"], ["limit", ROWS]]);
  const data = await look("GET", `/v1/datasets/${name}?${query}`);
  return described({ ...data, dataset: settings.length ? { name, ...Object.fromEntries(settings) } : name });
}

function described(data) {
  return { ...data, shape: { inputs: data.inputs[0]?.length ?? 2, targets: data.targets[0]?.length ?? 1 } };
}

/** The part of the plane that is drawn: the data with room around it. */
export function extent(inputs) {
  const range = (at) => {
    const values = inputs.map((row) => row[at]);
    const [low, high] = [Math.min(...values, 0), Math.max(...values, 1)];
    const room = 0.2 * (high - low);
    return [low - room, high + room];
  };
  return { x: range(0), y: range(1) };
}

/** Points as text for the address, and back: `0,0,0;0.25,1,1`. */
export function writePoints({ inputs, targets }) {
  return inputs.map(([x, y], at) => [x, y, targets[at][0]].join(",")).join(";");
}

export function readPoints(text) {
  const rows = text.split(";").filter(Boolean).map((row) => row.split(",").map(Number));
  if (!rows.every((row) => row.length === 3 && row.every(Number.isFinite))) return null;
  return { inputs: rows.map(([x, y]) => [x, y]), targets: rows.map(([, , target]) => [target]) };
}
