// A page of the study: the player above, one question at a time below it.
//
// Answers wait in `outbox` until the server has told that it holds them; each message carries all
// that wait, and the server takes an answer it already has as the same one. So neither a lost
// message nor one that arrives twice does harm.

const LABELS = ["A", "B", "C", "D"];
const OTHERS = { does_not_apply: "Does not apply", cannot_play: "Cannot play" };
const AGAIN_MS = 5000;
const LEAST_WIDTH = 900;

class Board {
  constructor(root, data, say) {
    this.say = say;
    this.data = data;
    this.outbox = [];
    this.events = [];
    this.sent = Date.now(); // so that numbers rise over reloads, too
    this.given = structuredClone(data.answers);
    this.since = performance.now();
    this.element = make("div", data.exercise ? "board exercise" : "board");
    root.append(this.element);
    if (window.innerWidth < LEAST_WIDTH) return this.refuse();
    const { clips: sources, ratio } = data;
    const told = (kind, detail) => this.report(kind, detail);
    this.player = new Player({ sources, labels: LABELS, ratio, told });
    this.question = make("h1", "question");
    this.anchors = make("ol", "anchors");
    this.rows = sources.map((_, slot) => this.row(slot));
    this.player.videos.forEach((video, slot) => video.box.append(this.rows[slot]));
    this.feedback = make("p", "feedback");
    const parts = [this.player.element, this.anchors, this.feedback, this.foot()];
    this.element.append(this.head(), this.question, ...parts);
    const open = data.criteria.findIndex((_, step) => this.first(step) !== null);
    this.go(open < 0 ? data.criteria.length - 1 : open);
    this.listen();
    this.report("viewport", { width: window.innerWidth, height: window.innerHeight });
    this.timer = setInterval(() => this.waiting() && this.send(), AGAIN_MS);
  }

  refuse() {
    const text =
      "Four videos side by side need a wider window. Please open your link, or enter your personal " +
      "code, on a laptop or a desktop computer; or make this window wider and reload the page.";
    this.element.append(make("p", "refusal", text));
  }

  // ----- what stands on the screen

  head() {
    const { references, prompt } = this.data;
    const head = make("header", "head");
    for (const { role, name, source } of references) {
      const figure = make("figure", "reference");
      const picture = make("img");
      Object.assign(picture, { src: source, alt: `${role}: ${name}` });
      const button = make("button", "picture");
      button.title = "Show larger";
      button.append(picture);
      button.addEventListener("click", () => this.enlarge(source, `${role}: ${name}`));
      figure.append(button, make("figcaption", "", role));
      head.append(figure);
    }
    const text = make("div", "prompt");
    text.append(make("h2", "", "The text that the videos were made from"), make("p", "", prompt));
    head.append(text);
    return head;
  }

  enlarge(source, name) {
    const dialog = make("dialog", "large");
    const picture = make("img");
    Object.assign(picture, { src: source, alt: name });
    const close = make("button", "close", "Close");
    dialog.append(picture, make("p", "", name), close);
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    this.element.append(dialog);
    dialog.showModal();
  }

  row(slot) {
    const row = make("div", "row");
    row.append(make("span", "label", LABELS[slot]));
    const scale = make("div", "scale");
    scale.setAttribute("role", "radiogroup");
    scale.setAttribute("aria-label", `Video ${LABELS[slot]}`);
    for (const value of [1, 2, 3, 4, 5, ...Object.keys(OTHERS)]) {
      const button = make("button", typeof value === "number" ? "score" : "other");
      button.textContent = OTHERS[value] ?? value;
      button.dataset.value = value;
      button.setAttribute("role", "radio");
      button.addEventListener("click", (event) => {
        if (event.detail) button.blur(); // so that space plays, and does not press it again
        this.answer(slot, value);
      });
      scale.append(button);
    }
    row.append(scale, make("p", "hint"));
    return row;
  }

  foot() {
    const foot = make("footer", "foot");
    this.back = make("button", "back", "Back");
    this.back.addEventListener("click", () => this.goBack());
    this.next = make("button", "next", "Next");
    this.next.addEventListener("click", () => this.goOn());
    this.state = make("span", "state");
    this.state.setAttribute("role", "status");
    const keys = "Keys: 1–5 answer, 0 does not apply, X cannot play, ← → choose, space plays, ⏎ next";
    foot.append(this.back, this.state, make("span", "keys", keys), this.next);
    return foot;
  }

  ask() {
    const { title, question, anchors } = this.data.criteria[this.step];
    const count = `Question ${this.step + 1} of ${this.data.criteria.length}`;
    this.question.textContent = question;
    this.question.append(make("span", "count", `${count} · ${title}`));
    this.anchors.replaceChildren(
      ...[1, 2, 3, 4, 5].map((level) => {
        const item = make("li");
        const text = make("span", anchors[level] ? "" : "between", anchors[level] ?? "in between");
        item.append(make("b", "", level), text);
        return item;
      }),
    );
  }

  render() {
    const { id } = this.data.criteria[this.step];
    const last = this.step === this.data.criteria.length - 1;
    const hints = this.data.hints[id] ?? [];
    this.rows.forEach((row, slot) => {
      const given = this.given[id][slot];
      row.classList.toggle("answered", given !== null);
      row.classList.toggle("chosen", slot === this.chosen);
      for (const button of row.querySelectorAll("button")) {
        button.setAttribute("aria-checked", String(given) === button.dataset.value);
      }
      row.querySelector(".hint").textContent = hints[slot] ?? "";
    });
    this.back.disabled = this.step === 0;
    this.next.disabled = this.done || this.first(this.step) !== null;
    this.element.inert = Boolean(this.done);
    this.next.textContent = last ? this.data.finish : "Next question";
    this.state.textContent = this.words();
    this.feedback.textContent = last ? this.data.feedback : "";
    this.state.classList.toggle("problem", Boolean(this.data.problem));
  }

  words() {
    if (this.data.problem) return this.data.problem;
    if (this.waiting()) return "Saving …";
    const open = this.given[this.data.criteria[this.step].id].filter((one) => one === null).length;
    if (open) return open === 1 ? "One answer is open" : `${open} answers are open`;
    return "Saved";
  }

  // ----- what the rater does

  go(step) {
    this.step = step;
    this.chosen = this.first(step);
    this.ask();
    this.render();
  }

  goBack() {
    if (this.step === 0) return;
    this.report("back", { criterion: this.data.criteria[this.step].id });
    this.go(this.step - 1);
  }

  goOn() {
    if (this.first(this.step) !== null) return;
    if (this.step < this.data.criteria.length - 1) return this.go(this.step + 1);
    const open = this.data.criteria.findIndex((_, step) => this.first(step) !== null);
    if (open >= 0) return this.go(open);
    this.done = true;
    this.send();
  }

  // The first slot of a question without an answer.
  first(step) {
    const slot = this.given[this.data.criteria[step].id].indexOf(null);
    return slot < 0 ? null : slot;
  }

  answer(slot, value) {
    const { id } = this.data.criteria[this.step];
    const { passes, stalls } = this.player.videos[slot];
    const rated = typeof value === "number";
    this.given[id][slot] = value;
    this.outbox.push({
      number: ++this.sent,
      criterion: id,
      slot,
      answer: rated ? "rated" : value,
      score: rated ? value : null,
      elapsed_ms: Math.round(performance.now() - this.since),
      plays: passes,
      stalls,
    });
    this.since = performance.now();
    this.chosen = this.first(this.step);
    this.send();
  }

  listen() {
    const onKey = (event) => this.key(event);
    const onLeave = (event) => this.outbox.length && event.preventDefault();
    document.addEventListener("keydown", onKey);
    window.addEventListener("beforeunload", onLeave);
    this.unlisten = () => {
      document.removeEventListener("keydown", onKey);
      window.removeEventListener("beforeunload", onLeave);
    };
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || this.done) return;
    const target = event.composedPath()[0];
    if (target.matches?.("input:not([type=range], [type=checkbox]), textarea, dialog *")) return;
    const pressing = target.matches?.("button:focus-visible, summary, [type=checkbox]");
    const act = this.action(event.key, pressing);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  action(key, pressing) {
    if (/^[1-5]$/.test(key)) return () => this.choose(Number(key));
    const slots = this.rows.length;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) {
      return () => {
        const from = this.chosen ?? (step > 0 ? -1 : slots);
        this.chosen = Math.max(0, Math.min(slots - 1, from + step));
        this.render();
      };
    }
    const actions = {
      0: () => this.choose("does_not_apply"),
      x: () => this.choose("cannot_play"),
    };
    if (!pressing) {
      actions[" "] = () => this.player.toggle();
      actions.enter = () => this.goOn();
      actions.backspace = () => this.goBack();
    }
    return actions[key.toLowerCase()];
  }

  choose(value) {
    if (this.chosen !== null) this.answer(this.chosen, value);
  }

  // ----- to and from the server

  report(kind, detail) {
    this.events.push({ number: ++this.sent, kind, detail: { page: this.data.page, ...detail } });
    this.send();
  }

  waiting() {
    return this.outbox.length > 0 || this.done;
  }

  send() {
    const { outbox: votes, events, done = false } = this;
    this.say({ number: ++this.sent, votes, events, done });
    if (this.step !== undefined) this.render();
  }

  update(data) {
    this.data = data;
    if (data.refused) this.done = false;
    this.outbox = this.outbox.filter(({ number }) => number > data.heard);
    this.events = this.events.filter(({ number }) => number > data.heard);
    for (const { id } of data.criteria) {
      const mine = new Set(this.outbox.filter((v) => v.criterion === id).map((v) => v.slot));
      data.answers[id].forEach((value, slot) => {
        if (!mine.has(slot)) this.given[id][slot] = value;
      });
    }
    if (this.step !== undefined) this.render();
  }

  close() {
    clearInterval(this.timer);
    this.unlisten?.();
    this.player?.close();
    this.element.remove();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const held = parentElement.board;
  if (held) held.update(data);
  else parentElement.board = new Board(parentElement, data, (value) => setStateValue("said", value));
  return () => {
    parentElement.board?.close();
    delete parentElement.board;
  };
}
