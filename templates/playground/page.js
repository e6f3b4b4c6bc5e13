"use strict";
// Puts the server's HTML fragments in place as they change, and sends what the reader does.

const shown = new Map(); // fragment or message id -> the HTML that stands there
const folded = new Map(); // id of a <details> -> whether the reader left it open
const whispered = new Set(); // ids of messages for the reader alone that were said already
const sayings = []; // sentences that wait to be shown at the foot of the page
const modal = document.getElementById("modal");
let openedBy = ""; // the id of what had the focus when the form came
let me = document.body.dataset.me;
let stream = null;
let polling = 0;
let step = null; // the name of the step that comes next; "" when all are over
let playing = null; // what plays the story for the reader, while it does
let held = false; // a press has begun and not ended: nothing is redrawn under a finger
let letting = 0; // the timer that ends that
let waiting = {}; // fragments that came meanwhile

// -- showing ---------------------------------------------------------------------------------

function place(name, html) {
  if (shown.get(name) === html) return;
  const first = !shown.has(name);
  shown.set(name, html);
  const spot = document.querySelector(`[data-fragment="${name}"]`);
  const focused = spot.contains(document.activeElement) ? document.activeElement.id : "";
  if (name === "feed") placeMessages(spot, html, first);
  else if (name === "modal") placeForm(spot, html);
  else spot.innerHTML = html;
  for (const [id, open] of folded) {
    const box = document.getElementById(id);
    if (box) box.open = open;
  }
  if (focused && document.activeElement?.id !== focused) focusOn(focused, spot);
  if (name === "steps") tellTheNext(spot);
}

// Where the focus was, or where that stood: nobody who uses the keyboard starts at the top again.
function focusOn(id, spot) {
  const there = document.getElementById(id) ?? spot.closest("[tabindex]");
  there?.focus({ preventScroll: true });
}

// What the reader wrote stays in a form that the app redraws, where the field is still there.
function placeForm(spot, html) {
  const before = spot.querySelector("form");
  const written = before ? new FormData(before) : new FormData();
  const old = before?.dataset.modal;
  spot.innerHTML = html;
  const form = spot.querySelector("form");
  if (!form || form.dataset.modal !== old) return;
  for (const field of form.querySelectorAll("textarea, input:not([type=radio], [type=hidden])"))
    if (field.name && written.get(field.name)) field.value = written.get(field.name);
  for (const field of form.querySelectorAll("input[type=radio]"))
    if (written.get(field.name) === field.value) field.checked = true;
}

function placeMessages(spot, html, first) {
  const box = document.createElement("template");
  box.innerHTML = html;
  const wanted = [...box.content.children];
  const ids = new Set(wanted.map((element) => element.id));
  for (const old of [...spot.children]) if (!ids.has(old.id)) old.remove();
  wanted.forEach((element, index) => {
    const old = document.getElementById(element.id);
    const same = old && shown.get(`#${element.id}`) === element.outerHTML;
    shown.set(`#${element.id}`, element.outerHTML);
    if (same && spot.children[index] === old) return;
    if (old) old.replaceWith(element);
    else arrive(element, first);
    if (spot.children[index] !== element) spot.insertBefore(element, spot.children[index] || null);
    if (!old && !first) bringUp(element);
  });
  whisper(spot, first);
}

// A new card comes into view, and so does the answer to what was typed; nothing else moves the page.
function bringUp(element) {
  const typed = document.activeElement?.id === "say";
  const whispers = element.classList.contains("only-you");
  if (typed) element.scrollIntoView({ block: "nearest" });
  else if (!whispers && !inView(element)) element.scrollIntoView({ block: "start" });
}

function inView(element) {
  const { top } = element.getBoundingClientRect();
  return top >= 0 && top < innerHeight - 160;
}

// What only the reader sees may stand far up in a thread: say it where they look, too.
function whisper(spot, first) {
  for (const element of spot.querySelectorAll(".only-you")) {
    if (whispered.has(element.id)) continue;
    whispered.add(element.id);
    const text = element.querySelector(".text");
    if (!first && text && !inView(element)) say(text.innerText.split("\n")[0].slice(0, 160));
  }
}

function arrive(element, first) {
  if (first || !element.classList.contains("message")) return;
  element.classList.add("new");
  announce(element.getAttribute("aria-label"));
}

// The dialog is open exactly while there is a form in it, whoever put it there or took it away.
function showModal() {
  const form = modal.querySelector("form");
  const opens = form && !modal.open;
  if (opens) {
    openedBy = document.activeElement?.id;
    modal.showModal();
  }
  if (!form && modal.open) {
    modal.close();
    focusOn(openedBy, document.getElementById("feed"));
  }
  const wrong = form?.querySelector("[aria-invalid=true]");
  if (opens || wrong) (wrong ?? form.querySelector("textarea, input:not([type=hidden])"))?.focus();
}

function tellTheNext(spot) {
  const now = spot.querySelector("[aria-current]");
  const next = now ? now.dataset.step : "";
  const first = step === null;
  if (next === step) return;
  step = next;
  if (first) return;
  const end = spot.querySelector(".end");
  if (end) say(end.innerText);
  else if (now && !inView(now)) say(now.querySelector("p").textContent);
}

function announce(text) {
  document.getElementById("announce").textContent = text;
}

// One sentence at a time, each long enough to be read; of those that wait only the newest counts.
function say(text) {
  sayings.splice(1);
  sayings.push(text);
  if (sayings.length === 1) sayNext();
}

function sayNext() {
  const status = document.getElementById("status");
  status.textContent = sayings[0];
  status.classList.add("shown");
  setTimeout(() => {
    sayings.shift();
    status.classList.remove("shown");
    if (sayings.length) sayNext();
  }, 4000);
}

// -- following -------------------------------------------------------------------------------

function follow() {
  stream?.close();
  clearInterval(polling);
  stream = new EventSource(`/events?as=${encodeURIComponent(me)}`);
  stream.onmessage = (event) => placeAll(JSON.parse(event.data));
  stream.onerror = () => {
    clearInterval(polling);
    polling = setInterval(look, 1000); // until the stream is back
  };
  stream.onopen = () => clearInterval(polling);
}

async function look() {
  try {
    const answer = await fetch(`/fragments?as=${encodeURIComponent(me)}`);
    const fragments = answer.ok ? await answer.json() : {};
    if (stream.readyState !== EventSource.OPEN) placeAll(fragments); // else it knows better
  } catch {
    say("The playground has stopped.");
  }
}

function placeAll(fragments) {
  if (held) {
    Object.assign(waiting, fragments);
    document.body.dataset.held = "";
  } else for (const [name, html] of Object.entries(fragments)) place(name, html);
}

// A button that is replaced between press and release is never clicked.
function hold() {
  clearTimeout(letting);
  held = true;
}

function release() {
  if (held) letting = setTimeout(letGo, 60); // after the click that the release makes
}

function letGo() {
  held = false;
  delete document.body.dataset.held;
  const late = waiting;
  waiting = {};
  placeAll(late);
}

document.addEventListener("pointerdown", hold, true);
for (const name of ["pointerup", "pointercancel", "dragend"]) document.addEventListener(name, release, true);
document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target.matches?.("button, input[type=radio], summary")) hold();
}, true);
document.addEventListener("keyup", (event) => event.key === " " && release(), true);
addEventListener("blur", release);

// -- acting ----------------------------------------------------------------------------------

async function send(path, body, button) {
  if (button) button.ariaDisabled = "true"; // and not disabled: it would lose the focus
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ as: me, ...body }),
    });
    const said = await answer.json();
    if (said.text) say(said.text);
    return said.ok;
  } catch {
    say("The playground does not answer.");
    return false;
  } finally {
    if (button) button.ariaDisabled = null;
  }
}

async function press(button) {
  const of = button.dataset;
  if (of.confirmTitle && !(await confirmed(of))) return;
  const target = of.view ? { view: of.view } : { ts: of.ts, channel: of.channel };
  await send("/click", { ...target, action: of.action, value: of.value }, button);
}

// Looking at App Home is an event that the app hears of, each time.
function showTab(name) {
  for (const tab of document.querySelectorAll("[data-tab]")) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", chosen);
    document.getElementById(tab.dataset.tab).hidden = !chosen;
  }
  document.querySelector("[data-composer]").hidden = name !== "feed";
  if (name === "home") send("/home", {});
}

function confirmed(of) {
  const dialog = document.getElementById("confirm");
  const opener = document.activeElement?.id;
  const [yes, no] = ["confirm-yes", "confirm-no"].map((id) => document.getElementById(id));
  document.getElementById("confirm-title").textContent = of.confirmTitle;
  document.getElementById("confirm-text").textContent = of.confirmText;
  yes.textContent = of.confirmYes;
  no.textContent = of.confirmNo;
  yes.className = of.confirmStyle === "danger" ? "danger strong" : "primary";
  dialog.showModal();
  return new Promise((resolve) => {
    function answer(said) {
      dialog.close();
      if (opener) focusOn(opener, document.getElementById("feed")); // it may have been redrawn
      resolve(said);
    }
    yes.onclick = () => answer(true);
    no.onclick = () => answer(false);
    dialog.oncancel = (event) => {
      event.preventDefault();
      answer(false);
    };
  });
}

// A story begins anew, and so does what the page knows of it.
async function begin(button) {
  stopPlaying();
  step = null;
  sayings.length = Math.min(sayings.length, 1);
  showTab("feed");
  await send("/begin", { name: button.dataset.begin }, button);
}

// -- playing it for the reader: everything is pressed on the page, as they would --------------

const pace = Number(document.body.dataset.pace);
const pause = () => new Promise((resolve) => setTimeout(resolve, pace));

async function play() {
  const mine = (playing = { is: "on" });
  markPlaying();
  if (!currentStep() && document.querySelector("[data-begin][aria-current]")) {
    step = null;
    await send("/begin", { name: document.querySelector("[data-begin][aria-current]").dataset.begin });
    await until(currentStep, mine);
  }
  for (let now = currentStep(); now && playing === mine; now = currentStep()) {
    const name = now.dataset.step;
    await playStep(now, mine);
    await until(() => currentStep()?.dataset.step !== name, mine);
  }
  if (playing === mine) stopPlaying();
}

function currentStep() {
  return document.querySelector(".steps [aria-current=step]");
}

function stopPlaying() {
  playing = null;
  markPlaying();
}

function markPlaying() {
  const button = document.getElementById("play");
  button.textContent = playing ? "■ Stop playing" : "▶ Play it for me";
  button.setAttribute("aria-pressed", String(Boolean(playing)));
}

async function playStep(now, mine) {
  const happens = now.querySelector("[data-happen]");
  if (happens) return pressFor(happens, mine);
  for (const move of JSON.parse(now.dataset.moves)) await make(move, mine);
}

async function make(move, mine) {
  const person = document.querySelector(`input[name=me][value="${move.who}"]`);
  if (!person.checked) await pressFor(person, mine, person.nextElementSibling);
  showTab("feed");
  const wanted = `#feed button[data-action="${move.action}"]`;
  const found = await until(() => {
    const newest = [...document.querySelectorAll(wanted)].at(-1);
    return newest?.ariaDisabled === "true" ? null : newest; // the press before is under way
  }, mine);
  await pressFor(found, mine);
  const confirm = document.querySelector("#confirm[open] #confirm-yes");
  if (confirm) await pressFor(confirm, mine);
  if (Object.keys(move.values).length) await fill(move.values, mine);
}

async function fill(values, mine) {
  const names = Object.keys(values);
  const form = await until(() => {
    const there = modal.querySelector("form");
    return there && names.every((name) => there.elements[name]) && there;
  }, mine);
  if (!form) return;
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  await pressFor(form.querySelector("[type=submit]"), mine);
  await until(() => !modal.open, mine);
}

// Shows what will be pressed, and presses it, unless the reader has stopped the play meanwhile.
async function pressFor(button, mine, outlined = button) {
  if (!button || playing !== mine) return;
  outlined.classList.add("pointed");
  outlined.scrollIntoView({ block: "nearest" });
  await pause();
  outlined.classList.remove("pointed");
  if (playing === mine) again(button).click();
}

// The button as it stands now: it may have been redrawn while it was shown.
function again(button) {
  return button.isConnected ? button : (document.getElementById(button.id) ?? button);
}

// Resolves with what *look* finds, as soon as it does; with nothing when the play was stopped.
function until(look, mine) {
  return new Promise((resolve) => {
    const watcher = new MutationObserver(check);
    function check() {
      const found = playing === mine ? look() : null;
      if (!found && playing === mine) return;
      watcher.disconnect();
      resolve(found);
    }
    watcher.observe(document.body, { subtree: true, childList: true, attributes: true });
    check();
  });
}

// -- menus of a form: their options are the app's, looked up as the reader types ---------------

async function offer(input, typed) {
  const menu = input.closest("[data-menu]");
  const { view, menu: action, known } = menu.dataset;
  const written = input.value;
  const options = known ? matching(JSON.parse(known), typed) : await lookUp(view, action, typed);
  if (input.value !== written || !input.isConnected) return; // more was typed meanwhile
  const list = menu.querySelector("[role=listbox]");
  list.replaceChildren(...options.map(asButton));
  if (!options.length) list.append(Object.assign(document.createElement("p"), { textContent: "No results" }));
  show(menu, true);
}

function matching(options, typed) {
  const all = options.map((one) => ({ text: one.text.text, value: one.value }));
  return all.filter((one) => one.text.toLowerCase().includes(typed.toLowerCase()));
}

async function lookUp(view, action, typed) {
  try {
    const answer = await fetch("/options", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ as: me, view, action, typed }),
    });
    return (await answer.json()).options;
  } catch {
    say("The playground does not answer.");
    return [];
  }
}

function asButton(option) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("role", "option");
  button.dataset.option = option.value;
  button.textContent = option.text;
  return button;
}

function show(menu, open) {
  menu.querySelector("[role=listbox]").hidden = !open;
  menu.querySelector("[role=combobox]").setAttribute("aria-expanded", String(open));
}

async function pick(button) {
  const menu = button.closest("[data-menu]");
  const { view, menu: action, dispatches } = menu.dataset;
  menu.querySelector("[type=hidden]").value = button.dataset.option;
  menu.querySelector("[role=combobox]").value = button.textContent;
  show(menu, false);
  if (!dispatches) return;
  const values = Object.fromEntries(new FormData(menu.closest("form")));
  await send("/choose", { view, action, value: button.dataset.option, values });
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[role=combobox]")) offer(event.target, event.target.value);
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("[data-menu]");
  if (!menu) return;
  const buttons = [...menu.querySelectorAll("[role=option]")];
  const at = buttons.indexOf(event.target);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (menu.querySelector("[role=listbox]").hidden) offer(menu.querySelector("[role=combobox]"), "");
    else buttons[(at + (event.key === "ArrowDown" ? 1 : buttons.length - 1)) % buttons.length]?.focus();
  }
  if (event.key === "Enter" && event.target.matches("[role=combobox]")) {
    event.preventDefault();
    buttons[0]?.click();
  }
  if (event.key === "Escape" && !menu.querySelector("[role=listbox]").hidden) {
    event.preventDefault();
    event.stopPropagation();
    show(menu, false);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.matches("[role=combobox]")) {
    event.target.select();
    offer(event.target, ""); // all of them, whatever is chosen now
  }
  for (const menu of document.querySelectorAll("[data-menu]"))
    if (!menu.contains(event.target)) show(menu, false);
  const button = event.target.closest("button");
  if (!button || button.ariaDisabled === "true") return;
  if (button.dataset.option !== undefined) pick(button);
  if (button.dataset.action) press(button);
  if (button.dataset.begin) begin(button);
  if (button.dataset.happen) send("/happen", { name: button.dataset.happen }, button);
  if (button.dataset.resolve !== undefined) send("/resolve", {}, button);
  if (button.dataset.play !== undefined) playing ? stopPlaying() : play();
  if (button.dataset.tab) showTab(button.dataset.tab);
  if (button.dataset.close) send("/close", { view: button.dataset.close }, button);
});

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const values = Object.fromEntries(new FormData(form));
  const button = form.querySelector("[type=submit]");
  if (form.dataset.modal) await send("/submit", { view: form.dataset.modal, values }, button);
  else if ((await send("/say", values, button)) && form.elements.text?.value === values.text)
    form.reset(); // the next words may have been begun meanwhile
});

document.addEventListener("change", (event) => {
  if (event.target.name !== "me") return;
  me = event.target.value;
  localStorage.setItem("me", me);
  shown.delete("feed"); // what the new person was told before is not news
  follow();
  const tab = document.querySelector('[data-tab][aria-selected="true"]');
  if (tab.dataset.tab === "home") showTab("home");
});

// Dialogs toggle too; one that is remembered as closed would be closed by the next redraw.
document.addEventListener("toggle", (event) => {
  if (event.target.matches("details")) folded.set(event.target.id, event.target.open);
}, true);

new MutationObserver(showModal).observe(modal, { childList: true });
modal.addEventListener("cancel", (event) => {
  event.preventDefault(); // the app may want to know: close it as its button does
  modal.querySelector("[data-close]")?.click();
});

const remembered = localStorage.getItem("me");
const pill = [...document.getElementsByName("me")].find((one) => one.value === remembered);
if (pill) {
  pill.checked = true;
  me = remembered;
}
follow();
