// A session on the server, made when it is first needed. Another visitor's session is looked at and never changed:
// whoever changes something in it goes on in a copy.

import { act, look } from "./api.js";

/** The names of the sessions that this visitor made, and of those whose address was copied. */
const [OWN, SHARED] = ["chainrule.sessions", "chainrule.shared"];

function listed(list) {
  return JSON.parse(sessionStorage.getItem(list) ?? "[]");
}

function note(list, name) {
  sessionStorage.setItem(list, JSON.stringify([...listed(list), name]));
}

function claim(name) {
  note(OWN, name);
}

/** Keeps the session of this name, for others may know of it now. */
export function share(name) {
  note(SHARED, name);
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
    if (listed(OWN).includes(this.name)) return path;
    this.view = await act("POST", await this.path("fork"), {});
    this.name = this.view.name;
    claim(this.name);
    return this.path(resource);
  }

  /** Whether it is this visitor's. */
  get isOwn() {
    return !this.name || listed(OWN).includes(this.name);
  }

  /** Branches off at a step: another session, this visitor's. */
  async fork(at) {
    const view = await act("POST", await this.path("fork"), { at });
    claim(view.name);
    return new Session({ name: view.name, view });
  }

  /** It is not needed any more. What others made stays, and what was shared. */
  async discard() {
    if (!this.name || !listed(OWN).includes(this.name) || listed(SHARED).includes(this.name)) return;
    sessionStorage.setItem(OWN, JSON.stringify(listed(OWN).filter((name) => name !== this.name)));
    try {
      await act("DELETE", `/v1/sessions/${this.name}`, undefined, { keepalive: true });
    } catch {
      // It is gone already, or stays as one that nobody asks for.
    }
  }
}
