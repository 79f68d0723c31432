// Shows an agent's answer while it is made.
//
// What a model has said can be taken back: each message is an element of its own, kept
// under the message's id, and `retract` removes it. The new answer comes under a new
// id, so the two are never mixed, whatever the order in which things arrive.

const find = (selector) => document.querySelector(selector);
const [log, welcome, status] = [find("#log"), find("#welcome"), find("#status")];
const [form, question] = [find("#composer"), find("#question")];
const [send, stop] = [find("#send"), find("#stop")];

let thread = newId();
let running = null; // what aborts the answer that is being made

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text; // never HTML: a model may say anything
  return made;
}

/** Change the log, and stay at its end if that is where the reader is. */
function follow(change) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  change();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

// --- one turn: a question, and the messages that answer it --------------------------

class Turn {
  constructor(text, { again }) {
    this.question = text;
    this.thread = thread;
    this.messages = new Map();
    this.restarted = false;
    this.over = false;
    this.waiting = element("div", "waiting");
    this.waiting.ariaHidden = "true";
    this.waiting.append(element("i", ""), element("i", ""), element("i", ""));
    const asked = element("p", "question", text);
    asked.prepend(element("span", "unseen", "You: "));
    if (!again) log.append(asked);
    log.append(this.waiting);
    log.scrollTop = log.scrollHeight;
  }

  // What the server tells, each by its name.

  token({ id, text }) {
    follow(() => {
      this.message(id).words.append(text);
      this.waiting.remove();
    });
    if (!this.restarted) say("");
  }

  tool({ id, name }) {
    follow(() => {
      this.message(id).node.append(element("p", "tool", `Using ${name}`));
      log.append(this.waiting);
    });
  }

  served({ id, by }) {
    const message = this.messages.get(id);
    if (!message) return; // it said nothing
    message.isWhole = true;
    if (!message.words.textContent) return; // it called a tool
    const anew = this.restarted ? ", after another model broke off" : "";
    follow(() => message.node.append(element("p", "by", `${by}${anew}`)));
  }

  retract({ id }) {
    const message = this.messages.get(id);
    if (!message) return; // of an earlier turn: what was left there is not answered
    follow(() => {
      message.node.remove();
      log.append(this.waiting);
    });
    this.messages.delete(id);
    this.restarted = true;
  }

  notice({ text }) {
    say(text);
  }

  done() {
    this.end();
  }

  interrupted() {
    this.end("The answer broke off, and no other model could give one.");
  }

  failed({ retry_after: seconds }) {
    const when = seconds ? ` Try again in about ${Math.ceil(seconds)} seconds.` : "";
    this.end(`No model could answer just now.${when}`);
  }

  // What this page makes of it.

  message(id) {
    if (!this.messages.has(id)) {
      const node = element("article", "answer");
      node.ariaLabel = "Answer";
      node.ariaBusy = "true"; // read out once it is whole
      const words = element("p", "words");
      node.append(words);
      this.messages.set(id, { node, words, isWhole: false });
      log.insertBefore(node, this.waiting.isConnected ? this.waiting : null);
    }
    return this.messages.get(id);
  }

  end(problem = "") {
    if (this.over || this.thread !== thread) return; // of a chat that was left
    this.over = true;
    this.waiting.remove();
    say("");
    const messages = [...this.messages.values()];
    for (const { node } of messages) node.ariaBusy = "false";
    if (problem) follow(() => this.offerToTryAgain(problem, messages.at(-1)));
  }

  offerToTryAgain(problem, last) {
    const broken = last && !last.isWhole ? last.node : null;
    broken?.classList.add("broken");
    const node = element("div", "problem", problem);
    node.role = "alert";
    const button = element("button", "again", "Try again");
    button.type = "button";
    button.onclick = () => {
      if (running) return;
      broken?.remove();
      node.remove();
      ask(this.question, { again: true });
      question.focus();
    };
    node.append(button);
    log.append(node);
  }
}

// --- asking -------------------------------------------------------------------------

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const [name, data] = part.split("\n");
      yield [name.slice("event: ".length), JSON.parse(data.slice("data: ".length))];
    }
  }
}

async function ask(text, { again = false } = {}) {
  const mine = new AbortController();
  running = mine;
  busy(true);
  for (const one of log.querySelectorAll(".again")) one.remove(); // of earlier questions
  const turn = new Turn(text, { again });
  try {
    const response = await fetch("chat", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ thread, question: text }),
      signal: mine.signal,
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    for await (const [name, data] of events(response)) turn[name](data);
    turn.end("The connection to the server was lost."); // unless it has ended by now
  } catch {
    const stopped = mine.signal.aborted;
    turn.end(stopped ? "You stopped the answer." : "The server could not be reached.");
  } finally {
    if (running === mine) busy(false);
  }
}

function busy(yes) {
  if (!yes) running = null;
  send.hidden = yes;
  stop.hidden = !yes;
  welcome.hidden = true;
  log.ariaBusy = String(yes);
}

form.onsubmit = (submitted) => {
  submitted.preventDefault();
  const text = question.value.trim();
  if (!text || running) return;
  question.value = "";
  ask(text);
};

question.onkeydown = (key) => {
  if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
  key.preventDefault();
  form.requestSubmit();
};

stop.onclick = () => {
  running?.abort();
  question.focus();
};

find("#new").onclick = () => {
  running?.abort();
  busy(false);
  thread = newId();
  log.replaceChildren();
  welcome.hidden = false;
  say("");
  question.focus();
};
