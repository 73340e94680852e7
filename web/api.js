// Requests to the server. Addresses are relative, so that the page works below a path of a reverse proxy, too.

import { EventParser } from "./sse.js";

const storageKey = "tutti-key";

export class ApiError extends Error {
  constructor(status, message, retryAfter = 0) {
    super(message);
    this.status = status;          // 0: no answer, -1: an answer that broke off
    this.retryAfter = retryAfter;  // seconds; 0: the server named none
  }
}

export const key = {
  get: () => sessionStorage.getItem(storageKey) ?? "",
  set: (value) => (value ? sessionStorage.setItem(storageKey, value) : sessionStorage.removeItem(storageKey)),
};

export async function getJson(path) {
  let response;
  try {
    response = await fetch(path, { headers: authorization(), cache: "no-store" });
  } catch {
    throw new ApiError(0, "");
  }
  const body = await response.text();
  if (!response.ok) throw errorOf(response.status, body, response.headers.get("Retry-After"));
  return JSON.parse(body);
}

// Uploads a recording and reads the events of its recognition. An XMLHttpRequest, because fetch does not tell how much
// of an upload is sent. `on` has upload(share), progress(counts) and segment(segment); resolves with the transcript.
export function transcribe(file, fields, on, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let transcript = null, failure = null, read = 0;
    const parser = new EventParser((name, data) => {
      if (name === "progress") on.progress(JSON.parse(data));
      if (name === "segment") on.segment(JSON.parse(data));
      if (name === "done") transcript = JSON.parse(data);
      if (name === "error") failure = errorOf(200, data, null);
    });
    const readMore = () => {
      if (request.status !== 200) return;
      const text = request.responseText;
      parser.push(text.slice(read));
      read = text.length;
    };

    request.open("POST", "v1/transcribe");
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && on.upload(event.loaded / event.total);
    request.upload.onload = () => on.upload(1);
    request.onprogress = readMore;
    request.onload = () => {
      readMore();
      if (request.status !== 200) {
        reject(errorOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
      } else if (failure || !transcript) {
        reject(failure ?? new ApiError(-1, ""));
      } else {
        resolve(transcript);
      }
    };
    request.onerror = () => reject(new ApiError(read ? -1 : 0, ""));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());

    // The fields go first: the server decodes the file while it arrives. Events are JSON; the format asks for times of
    // words, which subtitles and the clicks on words need.
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...fields, stream: "true", format: "vtt" })) form.append(name, value);
    form.append("file", file, file.name);
    request.send(form);
  });
}

function authorization() {
  return key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
}

function errorOf(status, body, retryAfter) {
  let message = "";
  try {
    message = JSON.parse(body).error.message;
  } catch {
    // A proxy in between answers in HTML.
  }
  return new ApiError(status, String(message ?? ""), Number(retryAfter) || 0);
}
