// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Elements and figures. Text becomes text nodes, nothing is ever parsed as HTML.

function element(name, attributes, children) {
  const made = document.createElement(name);
  return furnish(made, attributes, children);
}

function svgElement(name, attributes, children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  return furnish(made, attributes, children);
}

function furnish(made, attributes, children) {
  for (const key of Object.keys(attributes || {})) {
    const value = attributes[key];
    if (typeof value === 'function') made.addEventListener(key, value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  for (const child of [].concat(children === undefined ? [] : children)) {
    if (child !== null && child !== undefined) made.append(child);
  }
  return made;
}

function clear(node) {
  while (node.firstChild) node.removeChild(node.firstChild);
}

function counted(count, noun) {
  return grouped(count) + ' ' + noun + (count === 1 ? '' : 's');
}

function grouped(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

const unitSizes = [[1, 'B'], [1024, 'KiB'], [1048576, 'MiB'], [1073741824, 'GiB'],
                   [1099511627776, 'TiB']];

// As the text report writes them: exact below 100,000.
function unitOf(value) {
  const size = Math.abs(value);
  if (size < 100000) return unitSizes[0];
  let unit = unitSizes[1];
  for (const next of unitSizes.slice(2)) if (size >= next[0]) unit = next;
  return unit;
}

function inUnit(value, unit) {
  const scaled = value / unit[0], size = Math.abs(scaled);
  if (unit[0] > 1) return scaled.toFixed(size < 10 ? 2 : 1);
  if (size < 10 && scaled !== Math.floor(scaled)) return scaled.toFixed(2);
  return (scaled < 0 && Math.round(size) > 0 ? '-' : '') + grouped(size);
}

function bytes(value) {
  const unit = unitOf(value);
  return inUnit(value, unit) + '\u00a0' + unit[1];
}

function signedBytes(value) {
  return (value < 0 ? '' : '+') + bytes(value);
}

function byteRange(range) {
  const unit = unitOf(Math.max(Math.abs(range[0]), Math.abs(range[1])));
  return inUnit(range[0], unit) + ' to ' + inUnit(range[1], unit) + '\u00a0' + unit[1];
}

function timeUnitOf(value) {
  return value < 120 ? [1, 's'] : value < 7200 ? [60, 'min'] : [3600, 'h'];
}

function seconds(value) {
  const [size, unit] = timeUnitOf(value);
  return Number((value / size).toPrecision(3)) + '\u00a0' + unit;
}

function baseName(path) {
  return path ? path.slice(path.lastIndexOf('/') + 1) : '';
}

// Rows of [header cell, cells...]; numbers are right-aligned by the style.
function table(head, rows, attributes) {
  return element('table', attributes, [
    element('thead', {}, element('tr', {}, head.map((cell) => element('th', { scope: 'col' }, cell)))),
    element('tbody', {}, rows.map((row) => element('tr', {}, row.map((cell, i) =>
      i === 0 ? element('th', { scope: 'row' }, cell) : element('td', {}, cell)))))]);
}

// Calls draw(width) now and whenever the host's width changes.
function drawToWidth(host, draw) {
  let last = 0;
  const redraw = () => {
    const width = Math.floor(host.clientWidth);
    if (width > 0 && width !== last) {
      last = width;
      draw(width);
    }
  };
  new ResizeObserver(redraw).observe(host);
  redraw();
}
