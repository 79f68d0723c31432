/* Search in a page that was opened from disk: browsers start no worker there, so that
   the search runs in a hidden frame that takes and gives the same messages. */
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const script = (text) => `<script ${text}</` + "script>";
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.said = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      frame.srcdoc =
        script(">self.postMessage = (data) => frameElement.said(data);") +
        script(`src="${new URL(url, location.href)}">`);
      this.ready = new Promise((loaded) => frame.addEventListener("load", loaded));
      this.frame = frame;
      document.body.append(frame);
    }

    postMessage(data) {
      const told = new MessageEvent("message", { data });
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(told));
    }
  };
}
