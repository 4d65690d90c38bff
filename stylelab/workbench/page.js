// Runs once for each workbench on a page; `marker` is a hidden picture inside it, whose onload calls this.
// It adds what ipywidgets leaves out: names of sliders and pictures, live regions, and a box drawn with the mouse.
// Without it all else works.
(function attach(marker, tries) {
  const bench = marker.closest('.stylelab-workbench');
  if (!bench) {  // widgets are put together in several steps
    if (tries) setTimeout(attach, 100, marker, tries - 1);
    return;
  }
  if (bench.dataset.ready) return;
  bench.dataset.ready = 'yes';
  // JupyterLab would take the arrow keys to move between cells (@lumino/commands, targetDistance).
  bench.dataset.lmSuppressShortcuts = 'true';
  bench.setAttribute('role', 'region');
  bench.setAttribute('aria-label', 'StyleLab workbench');

  const set = (node, values) => {
    for (const [key, value] of Object.entries(values)) {
      if (node.getAttribute(key) !== value) node.setAttribute(key, value);
    }
  };
  const each = (selector, act) => bench.querySelectorAll(selector).forEach(act);
  const complete = () => {
    each('.sl-live .widget-html-content', (node) => set(node, {role: 'status', 'aria-live': 'polite'}));
    each('.sl-progress', (node) => set(node, {'aria-hidden': 'true'}));  // the status says it in words
    each('.widget-upload', (button) => {  // it counts its files, "(0)", where there is one at most
      const text = button.lastChild;
      if (text && / \(\d+\)$/.test(text.textContent)) text.textContent = text.textContent.replace(/ \(\d+\)$/, '');
    });
    each('img.sl-photo', (node) => set(node, {alt: 'Your photo; the outline shows where its product is'}));
    each('img.sl-before', (node) => set(node, {alt: 'Your photo, at the size and place that it has in the picture'}));
    each('img.sl-after', (node) => set(node, {alt: 'The picture in its new style'}));
    each('.widget-slider', (slider) => {
      const label = slider.querySelector('.widget-label');
      const name = label ? label.textContent : 'Value';
      const readout = slider.querySelector('.widget-readout');
      if (readout) set(readout, {role: 'textbox', 'aria-label': name + ', as a number'});
      slider.querySelectorAll('[role=slider]').forEach((handle) => set(handle, {'aria-label': name}));
      slider.querySelectorAll('.ui-slider-handle').forEach((handle) => {  // ipywidgets 7
        const value = parseFloat(readout ? readout.textContent : '0') || 0;
        set(handle, {role: 'slider', 'aria-label': name, 'aria-valuenow': String(value)});
      });
    });
  };
  new MutationObserver(complete).observe(bench, {childList: true, subtree: true, characterData: true});
  complete();

  const ready = (more) => {  // the page is there: the kernel may begin
    const button = bench.querySelector('.sl-ready');
    if (button) button.click();
    else if (more) setTimeout(ready, 100, more - 1);
  };
  ready(100);

  // A box drawn on the photo goes into the four fields, as if typed.
  let from = null;
  const photo = (event) => event.target.closest && event.target.closest('.sl-drawing img.sl-photo');
  const place = (event, node) => {
    const area = node.getBoundingClientRect();
    const inside = (share) => Math.min(1, Math.max(0, share));
    return [inside((event.clientX - area.left) / area.width), inside((event.clientY - area.top) / area.height)];
  };
  const fill = (kind, share, edge) => {
    const field = bench.querySelector('.sl-box-' + kind + ' input');
    field.value = Math.round(share * edge);
    field.dispatchEvent(new Event('input', {bubbles: true}));
    field.dispatchEvent(new Event('change', {bubbles: true}));
  };
  bench.addEventListener('pointerdown', (event) => {
    const node = photo(event);
    if (!node) return;
    event.preventDefault();
    node.setPointerCapture(event.pointerId);
    from = place(event, node);
  });
  bench.addEventListener('pointermove', (event) => {
    const rubber = bench.querySelector('.sl-rubber');
    const node = photo(event);
    if (!from || !node || !rubber) return;
    const to = place(event, node), frame = rubber.offsetParent.getBoundingClientRect();
    const area = node.getBoundingClientRect();
    Object.assign(rubber.style, {
      display: 'block',
      left: area.left - frame.left + Math.min(from[0], to[0]) * area.width + 'px',
      top: area.top - frame.top + Math.min(from[1], to[1]) * area.height + 'px',
      width: Math.abs(from[0] - to[0]) * area.width + 'px',
      height: Math.abs(from[1] - to[1]) * area.height + 'px',
    });
  });
  bench.addEventListener('pointerup', (event) => {
    const rubber = bench.querySelector('.sl-rubber');
    if (rubber) rubber.style.display = 'none';
    const node = photo(event);
    if (!from || !node) { from = null; return; }
    const to = place(event, node), begun = from;
    from = null;
    if (Math.abs(begun[0] - to[0]) < 0.02 || Math.abs(begun[1] - to[1]) < 0.02) return;  // a click
    const edges = bench.querySelector('.sl-edges').dataset;
    fill('left', Math.min(begun[0], to[0]), edges.width);
    fill('top', Math.min(begun[1], to[1]), edges.height);
    fill('right', Math.max(begun[0], to[0]), edges.width);
    fill('bottom', Math.max(begun[1], to[1]), edges.height);
  });
})(this, 100);
