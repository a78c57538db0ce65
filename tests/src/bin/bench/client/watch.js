// Watches a page from before its own scripts run: its frames, its long tasks, its WebAssembly's memory, and when each
// probe (an agent that does "probe N") had been drawn. Looks at the document once in a frame and holds numbers only.
(() => {
  const watch = { frames: [], tasks: [], probes: [], memories: [], hidden: document.hidden };
  window.watch = watch;

  for (const name of ['instantiate', 'instantiateStreaming']) {
    const own = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await own.apply(WebAssembly, given);
      const { exports } = made.instance ?? made;
      watch.memories.push(...Object.values(exports).filter((one) => one instanceof WebAssembly.Memory));
      return made;
    };
  }

  new PerformanceObserver((list) => watch.tasks.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({ type: 'longtask' });
  addEventListener('visibilitychange', () => { watch.hidden ||= document.hidden; });

  let last;
  const frame = (time) => {
    if (last !== undefined) watch.frames.push(time - last);
    last = time;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);

  // Asked for from a task, this callback comes after those that the page asked for in its own, so it sees what the
  // page is about to draw; the message is delivered once that has been drawn.
  let newest = -1;
  const drawn = new MessageChannel();
  const look = () => {
    const card = document.querySelector('[data-testid=agent-card][data-entity-id=probe]');
    newest = Math.max(newest, Number(/probe (\d+)/.exec(card?.textContent ?? '')?.[1] ?? -1));
    drawn.port2.postMessage(newest);
  };
  drawn.port1.onmessage = ({ data }) => {
    const at = performance.timeOrigin + performance.now();
    while (watch.probes.length <= data) watch.probes.push(at);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);

  watch.forget = () => {
    watch.frames.length = 0;
    watch.tasks.length = 0;
  };
  // What the page says that it applied.
  watch.applied = () => {
    const said = window.floor ?? document.querySelector('[data-testid=connection]').dataset;
    const { offset, received, holes, duplicates } = said;
    return [offset, received, holes, duplicates].map(Number);
  };
  watch.wasm = () => watch.memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
})();
