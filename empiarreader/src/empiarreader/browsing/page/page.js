// The page of an entry. What comes from the archive reaches the page as text or as pictures, never as markup.
"use strict";

const ROW = 30, TILE_WIDTH = 164, TILE_HEIGHT = 176, BEYOND = 8, PICTURES_AT_ONCE = 3;
const element = (id) => document.getElementById(id);
const listed = new Map();                 // path of a directory -> its answer
const ticked = { files: new Map(), directories: new Set() };  // paths; of files with their size
const state = { here: "", found: null, rows: [], shown: [], at: 0, chosen: null, key: "name", up: true, pictures: false };
let opened = 0, previewed = 0;

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const join = (directory, name) => (directory ? `${directory}/${name}` : name);
const last = (path) => path.slice(path.lastIndexOf("/") + 1);
// A name may hold bytes that are no text; JSON can write them where an address alone could not.
const question = (parts) => Object.entries(parts).map(([name, value]) =>
  `${name}=${encodeURIComponent(name === "regexp" ? value : JSON.stringify(value))}`).join("&");

async function ask(place, parts = {}, body) {
  const options = body === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(`api/${place}?${question(parts)}`, options);
  } catch {
    throw new Error("empiarreader does not answer; has it been ended?");
  }
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}

function say(size) {
  if (size === null || size === undefined) return "";
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (size < 999.5 || unit === "TB") return `${Number(size.toPrecision(3))} ${unit}`;
    size /= 1000;
  }
  return "";
}

const number = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

// --- the entry

async function showEntry() {
  const about = await ask("entry");
  element("accession").textContent = about.accession;
  element("title").textContent = about.title;
  document.title = `${about.accession} · empiarreader`;
  if (about.error) {
    element("problem").textContent = about.error;
    element("problem").hidden = false;
  }
  const facts = element("facts");
  if (about.doi && /^10\.\d+\/[\w./-]+$/.test(about.doi)) {
    const link = make("a", "", `doi:${about.doi}`);
    link.href = `https://doi.org/${about.doi}`;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    facts.append(link);
  }
  for (const fact of [about.size, about.experiment, about.released && `released ${about.released}`,
    ...(about.references || [])]) if (fact) facts.append(make("span", "", fact));
  element("people").textContent = (about.authors || []).join(", ");
  element("people").title = about.citation || "";
  element("imagesets-head").hidden = !about.imagesets.length;
  for (const imageset of about.imagesets) {
    const button = make("button", "", imageset.name || imageset.directory);
    button.type = "button";
    const size = imageset.pixel_size_angstrom;
    button.append(make("small", "", [imageset.category, imageset.format, imageset.count !== null && number(imageset.count, "image"),
      size && `${size} Å`].filter(Boolean).join(" · ")));
    button.addEventListener("click", () => enter(imageset.directory));
    const item = make("li");
    item.append(button);
    element("imagesets").append(item);
  }
}

// --- the tree of directories

function branch(path, name) {
  const item = make("li");
  item.setAttribute("role", "treeitem");
  item.setAttribute("aria-expanded", "false");
  item.dataset.path = path;
  const line = make("div", "branch");
  line.tabIndex = -1;
  line.append(make("span", "fold", "▶"), make("span", "name", legible(name)), make("span", "number"));
  line.title = name;
  line.querySelector(".fold").addEventListener("click", (event) => { event.stopPropagation(); fold(item); });
  line.addEventListener("click", () => enter(path));
  item.append(line);
  return item;
}

async function list(path) {
  if (!listed.has(path)) listed.set(path, ask("list", { path }).catch((error) => { listed.delete(path); throw error; }));
  return listed.get(path);
}

async function unfold(item) {
  if (item.getAttribute("aria-expanded") === "true") return;
  const answer = await list(item.dataset.path);
  if (item.getAttribute("aria-expanded") === "true") return;
  const line = item.querySelector(".branch");
  line.querySelector(".number").textContent = answer.files.length ? answer.files.length.toLocaleString("en") : "";
  item.setAttribute("aria-expanded", "true");
  line.classList.add("open");
  if (!answer.directories.length) line.querySelector(".fold").textContent = "";
  const below = make("ul");
  below.setAttribute("role", "group");
  for (const name of answer.directories) below.append(branch(join(item.dataset.path, name), name));
  item.append(below);
}

function fold(item) {
  if (item.getAttribute("aria-expanded") === "true") {
    item.setAttribute("aria-expanded", "false");
    item.querySelector(".branch").classList.remove("open");
    item.querySelector(":scope > ul").remove();
  } else unfold(item).catch(complain);
}

async function showInTree(path) {
  let item = element("tree").firstElementChild;
  await unfold(item);
  let sofar = "";
  for (const part of path.split("/").filter(Boolean)) {
    sofar = join(sofar, part);
    const next = [...item.querySelectorAll(":scope > ul > li")].find((one) => one.dataset.path === sofar);
    if (!next) break;
    item = next;
    await unfold(item);
  }
  for (const line of element("tree").querySelectorAll(".branch")) { line.classList.remove("here"); line.tabIndex = -1; }
  const line = item.querySelector(".branch");
  line.classList.add("here");
  line.tabIndex = 0;
  line.scrollIntoView({ block: "nearest" });
}

function walkTree(event) {
  const lines = [...element("tree").querySelectorAll(".branch")];
  const at = lines.indexOf(document.activeElement);
  if (at < 0) return;
  const item = lines[at].parentElement, isOpen = item.getAttribute("aria-expanded") === "true";
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[event.key];
  if (to !== undefined) lines[Math.max(0, Math.min(lines.length - 1, to))].focus();
  else if (event.key === "ArrowRight" && !isOpen) fold(item);
  else if (event.key === "ArrowLeft" && isOpen) fold(item);
  else if (event.key === "ArrowLeft") item.parentElement.closest("li")?.querySelector(".branch").focus();
  else if (event.key === "Enter" || event.key === " ") enter(item.dataset.path);
  else return;
  event.preventDefault();
}

// --- the list of a directory

async function enter(path) {
  const mine = ++opened;
  wait("Listing …");
  try {
    const answer = await list(path);
    if (mine !== opened) return;
    state.here = path;
    state.found = null;
    element("filter").value = "";
    showPath(path);
    take(answer);
    showInTree(path).catch(complain);
  } catch (error) { if (mine === opened) complain(error); }
}

async function findBelow() {
  const pattern = element("filter").value.trim();
  if (!pattern) { element("filter").focus(); return; }
  const mine = ++opened;
  wait("Listing the directories below …");
  try {
    const regexp = element("regexp").checked;
    const wanted = regexp || pattern.includes("/") ? pattern : `**/${pattern}`;
    const answer = await ask("find", { path: state.here, pattern: wanted, regexp: regexp ? 1 : 0 });
    if (mine !== opened) return;
    state.found = answer;
    take(answer);
  } catch (error) { if (mine === opened) complain(error); }
}

function take(answer) {
  const directories = answer.directories.map((name) =>
    ({ name, path: join(answer.path, name), directory: true, size: null, kind: "directory", modified: "" }));
  const files = answer.files.map(([name, size, exact, modified, kind, image]) =>
    ({ name, path: join(answer.path, name), size, exact, modified: modified || "", kind: kind || "", image }));
  state.rows = [...directories, ...files];
  state.at = 0;
  element("list").scrollTop = 0;
  filter();
}

function showPath(path) {
  const where = element("path");
  where.replaceChildren();
  const parts = path.split("/").filter(Boolean);
  const crumbs = [["", element("accession").textContent || "entry"], ...parts.map((part, k) => [parts.slice(0, k + 1).join("/"), legible(part)])];
  crumbs.forEach(([to, name], k) => {
    if (k) where.append(make("span", "slash", "/"));
    if (k === crumbs.length - 1) where.append(make("span", "here", name));
    else {
      const button = make("button", "", name);
      button.type = "button";
      button.addEventListener("click", () => enter(to));
      where.append(button);
    }
  });
}

function matcher(pattern, regexp) {
  if (!pattern) return () => true;
  if (regexp) { const found = new RegExp(pattern, "u"); return (name) => found.test(name); }
  if (!/[*?[]/.test(pattern)) { const part = pattern.toLowerCase(); return (name) => name.toLowerCase().includes(part); }
  const parts = pattern.replace(/[.+^${}()|\\]/g, "\\$&").replace(/\*+/g, ".*").replace(/\?/g, ".").replace(/\[!/g, "[^");
  const found = new RegExp(`^${parts}$`, "us");
  return (name) => found.test(name);
}

const names = new Intl.Collator("en", { numeric: true });
const orders = {
  name: (a, b) => names.compare(a.name, b.name),
  size: (a, b) => (a.size ?? -1) - (b.size ?? -1),
  kind: (a, b) => names.compare(a.kind, b.kind) || names.compare(a.name, b.name),
  modified: (a, b) => (a.modified < b.modified ? -1 : a.modified > b.modified ? 1 : 0),
};

function filter() {
  let keeps = () => true;
  let broken = "";
  const pattern = element("filter").value.trim();
  if (!state.found) {
    try { keeps = matcher(pattern, element("regexp").checked); } catch (error) { broken = error.message; }
  }
  const sign = state.up ? 1 : -1;
  state.shown = state.rows.filter((row) => keeps(row.name)).sort((a, b) =>
    Boolean(b.directory) - Boolean(a.directory) || sign * orders[state.key](a, b));
  state.at = Math.min(state.at, Math.max(0, state.shown.length - 1));
  draw();
  if (broken) complain(new Error(broken)); else tell();
}

function tell() {
  const status = element("status");
  status.className = "";
  const files = state.shown.filter((row) => !row.directory), directories = state.shown.length - files.length;
  const kinds = new Map();
  let size = 0, known = files.length > 0;
  for (const file of files) {
    if (file.kind) kinds.set(file.kind, (kinds.get(file.kind) || 0) + 1);
    if (file.size === null) known = false; else size += file.size;
  }
  const parts = [];
  if (directories) parts.push(number(directories, "directory", "directories"));
  parts.push(number(files.length, "file") + (state.found ? " found" : ""));
  for (const [kind, count] of kinds) parts.push(`${kind.replace("_", " ")} ${count.toLocaleString("en")}`);
  if (known) parts.push(`about ${say(size)}`);
  if (state.found?.more) parts.push(`${number(state.found.more, "more file")} not shown`);
  status.textContent = parts.join(" · ");
}

function wait(text) { element("status").className = "working"; element("status").textContent = text; }
function complain(error) { element("status").className = "problem"; element("status").textContent = error.message; }

// --- drawing what can be seen of the list

function columns() { return state.pictures ? Math.max(1, Math.floor((element("list").clientWidth - 12) / TILE_WIDTH)) : 1; }
function height() { return state.pictures ? TILE_HEIGHT : ROW; }

function draw() {
  const view = element("list"), space = element("space");
  const across = columns(), high = height(), total = Math.ceil(state.shown.length / across);
  space.style.height = `${total * high + (state.pictures ? 12 : 0)}px`;
  const first = Math.max(0, Math.floor(view.scrollTop / high) - BEYOND);
  const stop = Math.min(total, Math.ceil((view.scrollTop + view.clientHeight) / high) + (state.pictures ? 1 : BEYOND));
  const pieces = [];
  for (let k = first * across; k < Math.min(stop * across, state.shown.length); k++) {
    pieces.push(state.pictures ? tile(k, across) : line(k));
  }
  if (!pieces.length && listed.size) pieces.push(make("p", "empty", state.rows.length ? "No name fits the filter." : "There is nothing here."));
  space.replaceChildren(...pieces);
  element("heads").hidden = false;
  markAll();
  view.setAttribute("aria-activedescendant", state.shown.length ? `item-${state.at}` : "");
  fetchPictures();
}

function piece(k, className) {
  const row = state.shown[k], made = make("div", className);
  made.id = `item-${k}`;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", String(isTicked(row)));
  if (k === state.at) made.classList.add("focused");
  if (row.path === state.chosen) made.classList.add("chosen");
  const box = make("input");
  box.type = "checkbox";
  box.tabIndex = -1;
  box.checked = isTicked(row);
  box.disabled = isBelowTicked(row.path);
  box.setAttribute("aria-label", `Tick ${row.name}`);
  box.addEventListener("click", (event) => { event.stopPropagation(); state.at = k; tickAll([row], box.checked); });
  made.addEventListener("click", () => { state.at = k; choose(row); });
  made.title = row.name;
  return [row, made, box];
}

// Signs that are not seen, or turn round what follows, would make a name look like another.
const legible = (name) => name.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);

// Names differ at their ends: what is too long for its column loses its middle.
const LONG = 24, END = 18;
function shownName(text) {
  const made = make("span", "name"), letters = [...legible(text)], long = letters.length > LONG;
  made.append(make("span", "start", (long ? letters.slice(0, -END) : letters).join("")));
  if (long) made.append(make("span", "end", letters.slice(-END).join("")));
  return made;
}

function line(k) {
  const [row, made, box] = piece(k, "row");
  made.classList.add(row.directory ? "directory" : row.image ? "image" : "other");
  made.style.top = `${k * ROW}px`;
  const size = row.size === null ? "" : (row.exact ? "" : "~") + say(row.size);
  made.append(box, shownName(row.name), make("span", "quiet kind", row.directory ? "" : row.kind.replace("_", " ")),
    make("span", "quiet size", size), make("span", "quiet modified", row.modified));
  return made;
}

function tile(k, across) {
  const [row, made, box] = piece(k, "tile");
  const wide = (element("list").clientWidth - 12) / across;
  made.style.left = `${8 + (k % across) * wide}px`;
  made.style.top = `${6 + Math.floor(k / across) * TILE_HEIGHT}px`;
  made.style.width = `${wide - 8}px`;
  const frame = make("div", "frame");
  if (row.directory) frame.append(make("span", "folder", "▸"));
  else if (!row.image) frame.append(make("span", "", "no image"));
  else picture(frame, row);
  const below = make("div", "below"), name = make("span", "name");
  name.append(make("bdi", "", legible(row.name)));
  below.append(box, name);
  made.append(frame, below);
  return made;
}

// --- small pictures: only those in sight, a few at a time

const pictures = new Map();  // path -> {address} | {why} | {busy}
let busy = 0;

function picture(frame, row) {
  const known = pictures.get(row.path);
  if (known?.address) {
    const image = make("img");
    image.src = known.address;
    image.alt = row.name;
    frame.append(image);
  } else if (known?.why) frame.append(make("span", "why", known.why));
  else {
    frame.dataset.wants = row.path;
    frame.append(make("span", "working"));
  }
}

function fetchPictures() {
  for (const frame of element("space").querySelectorAll("[data-wants]")) {
    if (busy >= PICTURES_AT_ONCE) return;
    const path = frame.dataset.wants;
    if (pictures.has(path)) continue;
    pictures.set(path, { busy: true });
    busy++;
    fetchPicture(path).then((found) => { pictures.set(path, found); hang(path); }).finally(() => { busy--; fetchPictures(); });
  }
}

// Put a picture in its frame and leave everything else alone: somebody may be about to click on it.
function hang(path) {
  for (const frame of element("space").querySelectorAll("[data-wants]")) {
    if (frame.dataset.wants !== path) continue;
    delete frame.dataset.wants;
    frame.replaceChildren();
    picture(frame, { path, name: last(path) });
  }
}

async function fetchPicture(path) {
  try {
    const address = `api/thumbnail?${question({ path })}`;
    const answer = await fetch(address);
    return answer.headers.get("Content-Type") === "image/png" ? { address } : answer.json();
  } catch { return { why: "empiarreader does not answer" }; }
}

// --- ticks

function isBelowTicked(path) {
  if (!ticked.directories.size) return false;
  for (let k = path.lastIndexOf("/"); k > 0; k = path.lastIndexOf("/", k - 1)) {
    if (ticked.directories.has(path.slice(0, k))) return true;
  }
  return false;
}

const isTicked = (row) => isBelowTicked(row.path) ||
  (row.directory ? ticked.directories.has(row.path) : ticked.files.has(row.path));

function tick(row, on) {
  if (isBelowTicked(row.path)) return;
  if (row.directory) {
    ticked.directories[on ? "add" : "delete"](row.path);
    if (on) {
      const begin = `${row.path}/`;
      for (const path of ticked.files.keys()) if (path.startsWith(begin)) ticked.files.delete(path);
      for (const path of ticked.directories) if (path.startsWith(begin)) ticked.directories.delete(path);
    }
  } else if (on) ticked.files.set(row.path, row.size);
  else ticked.files.delete(row.path);
}

function tickAll(rows, on) {
  for (const row of rows) tick(row, on);
  count();
  draw();
}

function markAll() {
  const on = state.shown.filter(isTicked).length;
  element("all").checked = on > 0 && on === state.shown.length;
  element("all").indeterminate = on > 0 && on < state.shown.length;
}

function count() {
  const { files, directories } = ticked, parts = [];
  if (files.size) {
    let size = 0;
    for (const one of files.values()) size += one || 0;
    parts.push(`${number(files.size, "file")}${size ? `, about ${say(size)}` : ""}`);
  }
  if (directories.size) parts.push(`${number(directories.size, "directory", "directories")} with all below`);
  element("count").textContent = parts.length ? `Ticked: ${parts.join(" and ")}` : "Nothing ticked";
  element("save").disabled = element("clear").disabled = !parts.length;
  element("saved").textContent = "";
}

async function save() {
  const button = element("save"), saved = element("saved");
  button.disabled = true;
  saved.className = "working";
  saved.textContent = "Listing what is ticked …";
  try {
    const answer = await ask("save", {}, { files: [...ticked.files.keys()], directories: [...ticked.directories] });
    saved.className = "";
    const name = `${element("accession").textContent || "entry"}-search.txt`;
    if (!answer.saved) {
      const link = make("a");
      link.href = URL.createObjectURL(new Blob([answer.text], { type: "text/plain" }));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }
    saved.textContent = `Saved ${number(answer.count, "address", "addresses")} in ${answer.saved || name}; `
      + `next: empiarreader download --download ${answer.saved || name} --save_dir FOLDER`;
  } catch (error) {
    saved.className = "problem";
    saved.textContent = error.message;
  } finally { button.disabled = false; }
}

// --- one image, larger

function choose(row) {
  if (row.directory) { enter(row.path); return; }
  state.chosen = row.path;
  draw();
  preview(row);
}

async function preview(row) {
  const mine = ++previewed, side = element("preview");
  const head = make("h3", "", legible(last(row.path)));
  if (!row.image) {
    side.replaceChildren(head, make("p", "hint", "This is no image that can be shown. Tick it to download it."));
    return;
  }
  side.replaceChildren(head, make("p", "working", "Reading a part of it …"));
  try {
    const seen = await ask("preview", { path: row.path });
    if (mine !== previewed) return;
    const lines = make("div", "lines");
    for (const text of seen.lines) lines.append(make("div", "", text));
    side.replaceChildren(head, lines, framed(seen.picture, row.name));
    if (seen.detail) side.append(framed(seen.detail, `${row.name}, its middle`));
    if (seen.spectrum) side.append(powers(seen.spectrum), curve(seen.spectrum));
  } catch (error) {
    if (mine === previewed) side.replaceChildren(head, make("p", "problem", error.message));
  }
}

function figure(content, caption) {
  const made = make("figure");
  made.append(content);
  if (caption) made.append(make("figcaption", "", caption));
  return made;
}

function framed(picture, label) {
  const wide = 400, high = wide * picture.height / picture.width, length = wide * picture.bar;
  const made = drawn("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": label });
  made.append(
    drawn("image", { href: picture.source, width: wide, height: high, preserveAspectRatio: "none" }),
    drawn("rect", { class: "bar-back", x: 8, y: high - 40, width: Math.max(length, 44) + 12, height: 32, rx: 3 }),
    drawn("rect", { class: "bar-line", x: 14, y: high - 17, width: length, height: 4 }),
    drawn("text", { class: "bar-text", x: 14 + Math.max(length, 44) / 2, y: high - 23, "font-size": 12, "text-anchor": "middle" }, picture.label));
  return figure(made);
}

function powers(spectrum) {
  const side = 400, middle = (Math.floor(spectrum.side / 2) + 0.5) / spectrum.side * side;
  const made = drawn("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": "power spectrum" });
  made.append(drawn("image", { href: spectrum.source, width: side, height: side }));
  for (const [label, high, wide] of spectrum.rings) {
    made.append(
      drawn("ellipse", { class: "circle", cx: middle, cy: middle, rx: wide * side, ry: high * side }),
      drawn("text", { class: "circle-text", x: middle + 0.7071 * wide * side + 3, y: middle - 0.7071 * high * side - 3, "font-size": 12 }, label));
  }
  return figure(made, "Power spectrum (logarithm, mean of tiles)");
}

function curve(spectrum) {
  const wide = 400, high = 110, left = 8, bottom = 18;
  const top = Math.max(...spectrum.power), low = Math.min(...spectrum.power), end = spectrum.frequency.at(-1);
  const x = (value) => left + (wide - left - 4) * value / end;
  const y = (value) => 4 + (high - bottom - 8) * (top - value) / ((top - low) || 1);
  const made = drawn("svg", { class: "curve", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": "radial average" });
  made.append(drawn("line", { class: "axis", x1: left, x2: wide - 4, y1: high - bottom, y2: high - bottom }));
  for (const [label, , , frequency] of spectrum.rings) {
    const at = x(frequency);
    made.append(drawn("line", { x1: at, x2: at, y1: 0, y2: high - bottom }),
      drawn("text", { x: at, y: high - 4, "text-anchor": "middle" }, label));
  }
  const path = spectrum.frequency.map((value, k) => `${k ? "L" : "M"}${x(value).toFixed(1)} ${y(spectrum.power[k]).toFixed(1)}`).join("");
  made.append(drawn("path", { d: path }));
  return figure(made, `Radial average: log₁₀ power up to ${Number(end.toPrecision(3))} ${spectrum.unit}`);
}

// --- keys and clicks

function walkList(event) {
  const across = columns(), page = Math.max(1, Math.floor(element("list").clientHeight / height()) - 1) * across;
  const row = state.shown[state.at];
  const to = { ArrowDown: state.at + across, ArrowUp: state.at - across, PageDown: state.at + page, PageUp: state.at - page,
    Home: 0, End: state.shown.length - 1 }[event.key]
    ?? (state.pictures ? { ArrowRight: state.at + 1, ArrowLeft: state.at - 1 }[event.key] : undefined);
  if (to !== undefined) {
    state.at = Math.max(0, Math.min(state.shown.length - 1, to));
    const view = element("list"), y = Math.floor(state.at / across) * height();
    if (y < view.scrollTop) view.scrollTop = y;
    if (y + height() > view.scrollTop + view.clientHeight) view.scrollTop = y + height() - view.clientHeight;
    draw();
  } else if (event.key === " " && row) tickAll([row], !isTicked(row));
  else if (event.key === "Enter" && row) choose(row);
  else if (event.key === "Backspace" && state.found) enter(state.here);
  else if (event.key === "Backspace" && state.here) enter(state.here.slice(0, Math.max(0, state.here.lastIndexOf("/"))));
  else return;
  event.preventDefault();
}

function begin() {
  element("list").addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(element("list"));
  element("list").addEventListener("keydown", walkList);
  element("tree").addEventListener("keydown", walkTree);
  for (const id of ["filter", "regexp"]) element(id).addEventListener("input", () => {
    if (state.found) { state.found = null; list(state.here).then(take).catch(complain); } else filter();
  });
  element("filter").addEventListener("keydown", (event) => {
    if (event.key === "Enter") findBelow();
    if (event.key === "ArrowDown") element("list").focus();
  });
  element("everywhere").addEventListener("click", findBelow);
  element("look").addEventListener("click", () => {
    state.pictures = !state.pictures;
    for (const [path, known] of pictures) if (known.why) pictures.delete(path);  // to be tried again
    element("look").setAttribute("aria-pressed", String(state.pictures));
    element("list").scrollTop = 0;
    draw();
  });
  element("all").addEventListener("click", () => tickAll(state.shown, element("all").checked));
  element("heads").addEventListener("click", (event) => {
    const key = event.target.dataset.key;
    if (!key) return;
    state.up = key === state.key ? !state.up : true;
    state.key = key;
    for (const head of element("heads").querySelectorAll("button")) head.setAttribute("aria-pressed", String(head.dataset.key === key));
    filter();
  });
  element("clear").addEventListener("click", () => { ticked.files.clear(); ticked.directories.clear(); count(); draw(); });
  element("save").addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      element("filter").focus();
    }
  });
  const top = branch("", "");
  element("tree").append(top);
  showEntry().then(() => {
    top.querySelector(".name").textContent = element("accession").textContent;
    showPath(state.here);
  }).catch((error) => { element("problem").textContent = error.message; element("problem").hidden = false; });
  enter("");
}

begin();
