// Runs once for each workbench on a page; `marker` is a hidden picture inside it, whose onload calls this.
// It adds what ipywidgets leaves out: names of sliders and pictures, live regions, and drawing on the photo.
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

  // What is drawn on the photo goes into the fields, as if typed: a box into four, a stroke into the text of strokes.
  const KINDS = ['box', 'product', 'ground'];
  const rubber = () => bench.querySelector('.sl-rubber');
  const type = (name, value) => {
    const field = bench.querySelector(name + ' input');
    field.value = value;
    field.dispatchEvent(new Event('input', {bubbles: true}));
    field.dispatchEvent(new Event('change', {bubbles: true}));
  };
  const place = (event, node) => {  // x and y, in shares of the photo
    const area = node.getBoundingClientRect();
    const inside = (share) => Math.min(1, Math.max(0, share));
    return [inside((event.clientX - area.left) / area.width), inside((event.clientY - area.top) / area.height)];
  };
  const corners = ([left, top], [right, bottom]) =>
    [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
  const thinned = (points, most) => {  // Ramer, Douglas and Peucker: no point left out is farther from the line
    const [a, b] = [points[0], points[points.length - 1]];
    const along = [b[0] - a[0], b[1] - a[1]], length = along[0] ** 2 + along[1] ** 2;
    let far = most, at = 0;
    points.forEach(([x, y], number) => {
      const share = length ? ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length : 0;
      const near = Math.min(1, Math.max(0, share));
      const away = Math.hypot(x - a[0] - near * along[0], y - a[1] - near * along[1]);
      if (away > far) [far, at] = [away, number];
    });
    if (!at) return points.length > 1 && length ? [a, b] : [a];
    return [...thinned(points.slice(0, at + 1), most).slice(0, -1), ...thinned(points.slice(at), most)];
  };
  const drawn = {
    box: ([from, to], width, height) => {
      if (Math.abs(from[0] - to[0]) < 0.02 || Math.abs(from[1] - to[1]) < 0.02) return;  // a click
      type('.sl-box-left', Math.round(Math.min(from[0], to[0]) * width));
      type('.sl-box-top', Math.round(Math.min(from[1], to[1]) * height));
      type('.sl-box-right', Math.round(Math.max(from[0], to[0]) * width));
      type('.sl-box-bottom', Math.round(Math.max(from[1], to[1]) * height));
    },
    stroke: (kind, points, width, height) => {
      const px = (share, edge) => Math.min(edge - 1, Math.floor(share * edge));
      const line = thinned(points.map(([x, y]) => [px(x, width), px(y, height)]), 0.004 * Math.max(width, height));
      const before = bench.querySelector('.sl-strokes input').value.replace(/[;\s]+$/, '');
      type('.sl-strokes', (before ? before + '; ' : '') + [kind, ...line.map((point) => point.join(','))].join(' '));
    },
  };
  let drag = null;  // photo, pointer, kind and points of what is being drawn
  const show = () => {
    const line = rubber().querySelector('polyline');
    if (!drag) { line.setAttribute('points', ''); return; }
    const frame = rubber().getBoundingClientRect(), area = drag.node.getBoundingClientRect();
    const points = drag.kind === 'box' ? corners(...drag.points) : [drag.points[0], ...drag.points];  // one is a dot
    rubber().dataset.kind = drag.kind;
    line.setAttribute('points', points.map(([x, y]) =>
      [area.left - frame.left + x * area.width, area.top - frame.top + y * area.height].join(',')).join(' '));
  };
  bench.addEventListener('pointerdown', (event) => {
    const node = event.target.closest && event.target.closest('.sl-drawing img.sl-photo');
    if (!node || drag || event.button) return;
    event.preventDefault();
    node.setPointerCapture(event.pointerId);
    const choices = [...bench.querySelectorAll('.sl-draws input')];
    const kind = KINDS[Math.max(0, choices.findIndex((one) => one.checked))], from = place(event, node);
    drag = {node, pointer: event.pointerId, kind, points: kind === 'box' ? [from, from] : [from]};
    show();
  });
  const onward = (event) => {
    const to = place(event, drag.node);
    if (drag.kind === 'box') drag.points[1] = to;
    else drag.points.push(to);
    show();
  };
  const mine = (event) => drag && event.pointerId === drag.pointer;
  bench.addEventListener('pointermove', (event) => { if (mine(event)) onward(event); });
  bench.addEventListener('pointercancel', (event) => { if (mine(event)) { drag = null; show(); } });
  bench.addEventListener('pointerup', (event) => {
    if (!mine(event)) return;
    onward(event);
    const {kind, points} = drag, {width, height} = bench.querySelector('.sl-edges').dataset;
    drag = null;
    show();
    if (kind === 'box') drawn.box(points, Number(width), Number(height));
    else drawn.stroke(kind, points, Number(width), Number(height));
  });
})(this, 100);
