// A session on the server, made when it is first needed. Another visitor's session is looked at and never changed:
// whoever changes something in it goes on in a copy.

import { act, look } from "./api.js";

const OWN = "chainrule.sessions";

function own() {
  return JSON.parse(sessionStorage.getItem(OWN) ?? "[]");
}

function claim(name) {
  sessionStorage.setItem(OWN, JSON.stringify([...own(), name]));
}

/** A session by its name, or what it is made from. */
export class Session {
  /** `body` is what POST /v1/sessions takes; `name` is that of a session that exists. */
  constructor({ body, name, view }) {
    this.body = body;
    this.name = name;
    this.view = view;
  }

  /** Opens the session of this name; null where it is gone. */
  static async open(name) {
    try {
      return new Session({ name, view: await look("GET", `/v1/sessions/${name}`) });
    } catch (error) {
      if (error.status === 404 || error.status === 400) return null;
      throw error;
    }
  }

  /** The path of one of its resources, for reading. Makes the session if there is none yet. */
  async path(resource = "") {
    if (!this.name) {
      this.view = await act("POST", "/v1/sessions", this.body);
      this.name = this.view.name;
      claim(this.name);
    }
    return `/v1/sessions/${this.name}${resource && `/${resource}`}`;
  }

  /** The path of one of its resources, for changing it. */
  async pathToChange(resource) {
    const path = await this.path(resource);
    if (own().includes(this.name)) return path;
    this.view = await act("POST", await this.path("fork"), {});
    this.name = this.view.name;
    claim(this.name);
    return this.path(resource);
  }

  /** Whether it is this visitor's. */
  get isOwn() {
    return !this.name || own().includes(this.name);
  }

  /** Branches off at a step: another session, this visitor's. */
  async fork(at) {
    const view = await act("POST", await this.path("fork"), { at });
    claim(view.name);
    return new Session({ name: view.name, view });
  }

  /** It is not needed any more. What others made stays, and what was shared. */
  async discard() {
    if (!this.name || !own().includes(this.name) || this.shared) return;
    sessionStorage.setItem(OWN, JSON.stringify(own().filter((name) => name !== this.name)));
    try {
      await look("DELETE", `/v1/sessions/${this.name}`, undefined, { keepalive: true });
    } catch {
      // It is gone already, or stays as one that nobody asks for.
    }
  }
}
