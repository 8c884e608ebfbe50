// Questions to the server. A failure comes as an ApiError that says in words what is wrong and what to do next.

import { kept } from "./parts.js";
import { queryOf } from "./router.js";

class ApiError extends Error {
  /** @param {{message: string, hint?: string, column?: number, status?: number}} what */
  constructor({ message, hint = "", column = null, status = 0 }) {
    super(message);
    Object.assign(this, { hint, column, status });
  }

  /** Whether nothing answered at all. */
  get lost() {
    return this.status === 0;
  }
}

const LOST = {
  message: "The server does not answer.",
  hint: "It may have been stopped: start `guild view` again in the same directory, or look at its terminal.",
};

// The page's token comes once, behind the # of its address; the browser keeps it for pages of this server's port alone.
const arrived = location.hash.match(/^#token=([\w-]+)$/);
if (arrived) {
  kept.set("token", arrived[1]);
  history.replaceState(null, "", "/");
}
const token = arrived?.[1] ?? kept.get("token", "");

/**
 * Return the address of something of the API, with its parameters. `path` among them is as the server gave it, encoded
 * already: names of files need not be text.
 */
function address(path, params = {}) {
  const { path: file, ...others } = params;
  const query = queryOf(others);
  if (file) query.append("path", "");
  const text = query.toString() + (file ? file.replace(/[^\w.~%/!*'():@,;-]/g, encodeURIComponent) : "");
  return `/api/${path}${text ? `?${text}` : ""}`;
}

/** Return the same for what the browser itself asks for, without our headers: pictures, frames, streams of events. */
export const direct = (path, params = {}) => address(path, { token, ...params });

/** Ask; return what was answered. */
export function get(path, params = {}, signal = undefined) {
  return request(address(path, params), { signal, headers: { "X-Guild-Token": token } });
}

/** Have something done. */
export function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-Guild-View": "1", "X-Guild-Token": token };
  return request(`/api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function request(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(LOST);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw refusal(response.status, answer);
}

function refusal(status, answer) {
  const message = answer?.error ?? `The server answered with ${status}, and without a reason.`;
  return new ApiError({ message, hint: answer?.hint ?? "", column: answer?.column ?? null, status });
}
