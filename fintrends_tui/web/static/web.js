// What textual-serve's terminal lacks: it finds the server by where the page is, waits for its font, and comes back.
(() => {
  "use strict";
  const LEFT = 1000; // the close code of a dashboard that was left, as by q
  const FAILED = 1011;
  const DELAYS = [1000, 2000, 5000, 10000];

  const beside = (name) => new URL(name, location.origin + location.pathname.replace(/\/?$/, "/"));
  let closed = false;

  function show(sentence, leave) {
    const notice = document.getElementById("notice");
    notice.querySelector("p").textContent = sentence;
    notice.querySelector("button").hidden = !leave;
    notice.hidden = false;
  }

  // A page that is loaded anew is a screen drawn anew: nothing of the old one has to be mended.
  async function comeBack(attempt) {
    let sentence = "The connection is lost; trying again…";
    try {
      const answer = await fetch(beside("alive"), { cache: "no-store" });
      if (answer.ok) return location.reload();
      sentence = await answer.text();
    } catch {
      // the server is away
    }
    show(sentence, false);
    setTimeout(comeBack, DELAYS[Math.min(attempt, DELAYS.length - 1)], attempt + 1);
  }

  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...words) {
      super(...words);
      this.addEventListener("close", (event) => {
        if (closed) return;
        closed = true;
        if (event.code === LEFT) show("You have left the dashboard.", true);
        else if (event.code === FAILED) show("The dashboard has failed. What it said last is behind this.", true);
        else comeBack(0);
      });
    }
    send(data) {
      if (this.readyState === Native.OPEN) super.send(data); // what is typed meanwhile has nowhere to go
    }
  };

  const start = window.onload;
  window.onload = async (event) => {
    const socket = beside("ws");
    socket.protocol = socket.protocol.replace("http", "ws");
    document.getElementById("terminal").dataset.sessionWebsocketUrl = socket.href;
    document.querySelector("#notice button").addEventListener("click", () => location.reload());
    // Its cells are measured once: with another font they would have another size.
    await Promise.allSettled(["16px", "bold 16px"].map((font) => document.fonts.load(`${font} 'Roboto Mono'`)));
    start(event);
    document.querySelector(".xterm-helper-textarea")?.focus();
  };
})();
