// Up to four videos that load wholly, then play, pause, seek and loop as one.
//
// The longest video is the clock. Every animation frame each other one is compared with it: a small
// drift is run down by playing slightly faster or slower, a large one by a jump. A shorter video
// rests on its last frame until all have ended. Each video counts how often it was played to its end
// (`passes`), and how often it stopped to load (`stalls`).

const NEAR_S = 0.012; // less than half a frame at 30 a second: in step
const FAR_S = 0.3; // beyond this a jump is less visible than a long chase
const END_S = 0.1; // so close to its end a video waits for nothing but its end
const PATIENCE_MS = 3000; // an event that a browser never sends must not stop everything

class Player {
  // `told` is called with "stalled" and what is known of it.
  constructor({ sources, labels, ratio, told }) {
    this.told = told;
    this.looping = true;
    this.playing = false;
    this.busy = false; // while all seek to one place
    this.urls = [];
    this.element = make("div", "player");
    this.boxes = make("div", "boxes");
    this.videos = sources.map((source, slot) => this.box(labels[slot], ratio));
    this.element.append(this.boxes, this.controls());
    this.ready = this.load(sources);
  }

  box(label, ratio) {
    const box = make("figure", "box");
    const frame = make("div", "frame");
    frame.style.setProperty("--ratio", ratio);
    const video = make("video");
    Object.assign(video, { muted: true, playsInline: true, disablePictureInPicture: true });
    video.setAttribute("aria-label", `Video ${label}`);
    video.addEventListener("waiting", () => this.stall(video));
    video.addEventListener("ended", () => this.count(video));
    video.addEventListener("click", () => this.toggle());
    const note = make("p", "note", "Loading …");
    frame.append(video, note);
    box.append(frame);
    this.boxes.append(box);
    return Object.assign(video, { note, box, passes: 0, stalls: 0, counted: false });
  }

  controls() {
    const row = make("div", "controls");
    this.button = make("button", "play", "Play");
    this.button.addEventListener("click", () => this.toggle());
    const again = make("button", "again", "From the start");
    again.addEventListener("click", () => this.play(0));
    this.bar = make("input", "bar");
    Object.assign(this.bar, { type: "range", min: 0, max: 1000, value: 0 });
    this.bar.setAttribute("aria-label", "Place in the videos");
    this.bar.addEventListener("input", () => this.seek((this.bar.value / 1000) * this.length));
    this.bar.addEventListener("change", () => this.bar.blur());
    this.clock = make("span", "clock", "0.0 s");
    const repeat = make("label", "repeat", "Repeat");
    const box = make("input");
    Object.assign(box, { type: "checkbox", checked: true });
    box.addEventListener("change", () => (this.looping = box.checked));
    repeat.prepend(box);
    row.append(this.button, again, this.bar, this.clock, repeat);
    for (const part of [this.button, again, this.bar]) part.disabled = true;
    return row;
  }

  async load(sources) {
    const parts = sources.map((source, slot) => this.fetch(source, this.videos[slot]));
    const loaded = await Promise.all(parts);
    this.good = this.videos.filter((_, slot) => loaded[slot]);
    if (!this.good.length || this.closed) return;
    this.lead = this.good.reduce((a, b) => (b.duration > a.duration ? b : a));
    this.length = this.lead.duration;
    for (const part of this.element.querySelectorAll(".controls :disabled")) part.disabled = false;
    this.show();
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) await this.play();
  }

  // The whole file first: once playing starts no video waits for the network.
  async fetch(source, video) {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (attempt) await sleep(1000 * attempt);
      try {
        const answer = await fetch(source);
        if (!answer.ok) throw new Error(answer.statusText);
        const url = URL.createObjectURL(await this.received(answer, video.note));
        this.urls.push(url);
        if (this.closed) return false;
        const state = once(video, "canplaythrough", "error");
        video.src = url;
        if ((await state) === "error") break;
        video.note.hidden = true;
        return true;
      } catch (error) {
        video.note.textContent = "Loading again …";
      }
    }
    video.note.textContent = "This video does not load. Reload the page, or answer “cannot play”.";
    this.told("stalled", { slot: this.videos.indexOf(video), failed: true });
    return false;
  }

  async received(answer, note) {
    const whole = Number(answer.headers.get("Content-Length")) || 0;
    const parts = [];
    let held = 0;
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      held += value.length;
      if (whole) note.textContent = `Loading ${Math.floor((100 * held) / whole)} %`;
    }
    return new Blob(parts, { type: answer.headers.get("Content-Type") });
  }

  toggle() {
    if (!this.lead) return;
    if (this.playing) this.pause();
    else this.play();
  }

  pause() {
    this.playing = false;
    return this.seek(this.lead.currentTime);
  }

  play(from = this.lead.ended ? 0 : this.lead.currentTime) {
    this.playing = true;
    return this.seek(from);
  }

  // Brings every video to one time, waits until each shows it, and goes on playing if it did.
  async seek(time) {
    this.wanted = time;
    if (this.busy) return;
    this.busy = true;
    for (const video of this.good) video.pause();
    while (this.wanted !== null) {
      const next = this.wanted;
      this.wanted = null;
      await Promise.all(this.good.map((video) => seekOne(video, Math.min(next, video.duration))));
    }
    this.busy = false;
    this.show();
    this.start();
  }

  start() {
    if (this.closed || !this.playing) return;
    for (const video of this.good) {
      video.playbackRate = 1;
      if (this.lead.currentTime < video.duration) video.play().catch(() => {});
    }
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.tick());
    this.show();
  }

  tick() {
    if (!this.playing || this.closed) return;
    if (!this.busy) {
      if (this.lead.ended) return this.end();
      this.keepStep();
      this.show();
    }
    this.frame = requestAnimationFrame(() => this.tick());
  }

  keepStep() {
    const time = this.lead.currentTime;
    for (const video of this.good) {
      if (video === this.lead || video.ended || time >= video.duration) continue;
      const drift = video.currentTime - time;
      if (Math.abs(drift) > FAR_S) video.currentTime = time;
      const away = Math.abs(drift) > NEAR_S && Math.abs(drift) <= FAR_S;
      const rate = away ? 1 - Math.max(-0.25, Math.min(0.25, 3 * drift)) : 1;
      if (Math.abs(video.playbackRate - rate) > 0.005) video.playbackRate = rate;
      if (video.paused) video.play().catch(() => {});
    }
  }

  end() {
    for (const video of this.good) this.count(video); // some may be a few milliseconds behind
    if (this.looping) return this.play(0);
    this.playing = false;
    this.show();
  }

  count(video) {
    if (this.playing && !this.busy && !video.counted) video.passes += 1;
    video.counted = true;
  }

  // A video that must load holds the others, so that none runs ahead.
  async stall(video) {
    const atEnd = video.duration - video.currentTime < END_S;
    if (!this.playing || this.busy || atEnd || video.readyState > 2) return;
    video.stalls += 1;
    this.told("stalled", { slot: this.videos.indexOf(video), at_s: video.currentTime });
    for (const other of this.good) other.pause();
    this.busy = true;
    await Promise.race([once(video, "canplay", "error"), sleep(PATIENCE_MS)]);
    this.busy = false;
    await this.seek(this.lead.currentTime);
  }

  show() {
    const time = this.lead.currentTime;
    this.button.textContent = this.playing ? "Pause" : "Play";
    this.clock.textContent = `${time.toFixed(1)} of ${this.length.toFixed(1)} s`;
    if (!this.bar.matches(":active")) this.bar.value = (1000 * time) / this.length;
  }

  close() {
    this.closed = true;
    this.playing = false;
    for (const video of this.videos) video.removeAttribute("src");
    for (const url of this.urls) URL.revokeObjectURL(url);
  }
}

function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function seekOne(video, time) {
  if (Math.abs(video.currentTime - time) < 0.001 && !video.ended) return null;
  const done = once(video, "seeked", "error");
  video.counted = time >= video.duration - END_S; // a jump to the end is no pass
  video.currentTime = time;
  return Promise.race([done, sleep(PATIENCE_MS)]);
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// The first of some events of an element.
function once(element, ...kinds) {
  return new Promise((resolve) => {
    const heard = (event) => {
      for (const kind of kinds) element.removeEventListener(kind, heard);
      resolve(event.type);
    };
    for (const kind of kinds) element.addEventListener(kind, heard);
  });
}
