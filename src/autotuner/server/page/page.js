"use strict";
// The server makes all HTML; this renews it when something happens, and sends what is typed as JSON.

const live = document.getElementById("live");
const say = (id, text) => { const place = document.getElementById(id); if (place) place.textContent = text; };
const POLL_MS = 3000, PING_MS = 20000, LOG_MS = 2000, LOG_BYTES = 16384;

async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({ detail: `The service answered ${answer.status}` }));
  const several = (problem.errors || []).map((one) => `${one.place}: ${one.detail}`);
  const said = [problem.detail, ...(several.length ? several : [problem.why]), problem.remedy];
  throw new Error(said.filter(Boolean).join("\n"));
}

// ---- the part that is renewed

let waiting = null, shown = null;

async function renew() {
  waiting = null;
  try {
    const answer = await fetch(live.dataset.part);
    if (answer.status === 401) return location.reload();
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === shown) return;
    shown = text;
    const focused = document.activeElement && document.activeElement.id;
    live.innerHTML = text; // made by the server, in which all that users wrote is escaped
    if (!live.querySelector(".state.running")) hideProgress();
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  } catch { /* the service is away; the next try tells */ }
}

function soon() { if (waiting === null) waiting = setTimeout(renew, 300); }

// ---- events, or asking where there are none

let since = live && live.dataset.since, pause = 1000, open = false;

function connect() {
  const url = new URL(live.dataset.events, location.href.replace(/^http/, "ws"));
  if (since !== undefined) url.searchParams.set("since", since);
  const socket = new WebSocket(url);
  const ping = setInterval(() => { if (socket.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}'); }, PING_MS);
  socket.onopen = () => { open = true; pause = 1000; say("fresh", "Live."); soon(); };
  socket.onmessage = (message) => {
    const frame = JSON.parse(message.data);
    if (frame.cursor !== undefined) since = frame.cursor;
    else if (frame.seq !== undefined) since = frame.seq;
    if (frame.type === "task_progress") progress(frame);
    else if (!["heartbeat", "pong", "error", "log_message"].includes(frame.type)) soon();
  };
  socket.onclose = () => {
    clearInterval(ping);
    open = false;
    say("fresh", "Not connected; asking every few seconds.");
    setTimeout(connect, pause);
    pause = Math.min(2 * pause, 30000);
  };
}

function hideProgress() {
  const bar = document.getElementById("progress");
  if (bar) bar.hidden = true;
  say("progress-text", "");
}

function progress(frame) {
  const bar = document.getElementById("progress");
  if (!bar) return soon();
  const data = frame.data || {};
  if (typeof data.progress_percent === "number") { bar.hidden = false; bar.value = data.progress_percent; }
  const left = typeof data.eta_s === "number" ? `, some ${Math.ceil(data.eta_s / 60)} min left` : "";
  const at = typeof data.current_experiment === "number" ? `experiment ${data.current_experiment}, ` : "";
  say("progress-text", `${at}${Math.round(bar.value)} %${left}`);
}

if (live) {
  connect();
  setInterval(() => { if (!open) renew(); }, POLL_MS);
}

// ---- the end of the log

const log = document.getElementById("log");

async function readLog() {
  const path = `/api/tasks/${log.dataset.task}/logs`;
  try {
    const first = await fetch(`${path}?limit=1`);
    if (!first.ok) return;
    const size = Number(first.headers.get("X-Log-Size") || 0);
    const answer = await fetch(`${path}?offset=${Math.max(0, size - LOG_BYTES)}`);
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    log.textContent = await answer.text();
    if (atEnd) log.scrollTop = log.scrollHeight;
  } catch { /* as above */ }
}

if (log) { readLog(); setInterval(readLog, LOG_MS); }

// ---- what is asked for

document.addEventListener("click", async (event) => {
  const action = event.target.dataset && event.target.dataset.action;
  if (!action) return;
  event.target.disabled = true;
  say("said", "");
  try { await call("POST", `/api${location.pathname}/${action}`); } catch (error) { say("said", error.message); }
  event.target.disabled = false;
  renew();
});

const form = document.getElementById("new-task");
if (form) form.addEventListener("submit", async (event) => {
  event.preventDefault();
  say("said", "");
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const task = await call("POST", "/api/tasks/import", { content: document.getElementById("document").value });
    await call("POST", `/api/tasks/${task.id}/start`);
    location.assign(`/tasks/${task.id}`);
  } catch (error) { say("said", error.message); }
  button.disabled = false;
});
