// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Flame graphs, the root on top. Only boxes that are wide enough to see are elements; zooming in
// makes more of them.

const rowHeight = 18;
const narrowestBox = 0.6;

function hashOf(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619) >>> 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}

function flameColour(node) {
  if (!node.module) return '#bdbdbd';
  const shade = hashOf(node.name);
  return `hsl(${(hashOf(node.module) + shade % 24) % 360},${50 + (shade >>> 5) % 20}%,${66 + (shade >>> 10) % 14}%)`;
}

function flameTree(data, flame) {
  const root = { name: 'all', where: '', module: '', bytes: 0, depth: 0, parent: null, children: new Map() };
  const insert = (frames, weight) => {
    let node = root;
    node.bytes += weight;
    for (const [name, where, module] of frames) {
      const key = name + '\n' + module;
      let child = node.children.get(key);
      if (!child) {
        child = { name, where, module, bytes: 0, depth: node.depth + 1, parent: node, children: new Map() };
        node.children.set(key, child);
      } else if (child.where !== where) {
        child.where = '';
      }
      child.bytes += weight;
      node = child;
    }
  };
  flame.stacks.forEach((stack, i) => insert(data.stacks[stack].map((frame) => frameOf(data, frame)), flame.bytes[i]));
  if (flame.rest_bytes) insert([['[smaller stacks]', '', '']], flame.rest_bytes);
  const layOut = (node, begin) => {
    node.begin = begin;
    const children = [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (const child of children) {
      layOut(child, begin);
      begin += child.bytes;
    }
    node.children = children;
  };
  layOut(root, 0);
  return root;
}

function frameOf(data, index) {
  const [name, where, module] = data.frames[index];
  return [name, where, data.modules[module]];
}

function frameText(data, index) {
  return index === null ? '[unknown]' : frameOf(data, index).filter(Boolean).join('  ');
}

class FlameView {
  constructor(canvas, info, root) {
    this.canvas = canvas;
    this.info = info;
    this.root = root;
    this.zoomed = root;
    this.matched = '';
    this.test = null;
    drawToWidth(canvas, (width) => this.draw(width));
  }

  draw(width) {
    this.width = width;
    this.boxes = [];
    const collect = (node, x, wide) => {
      if (wide < narrowestBox) return;
      this.boxes.push({ node, x, wide });
      let at = x;
      for (const child of node.children) {
        const part = wide * child.bytes / node.bytes;
        collect(child, at, part);
        at += part;
      }
    };
    for (let node = this.zoomed.parent; node; node = node.parent) this.boxes.unshift({ node, x: 0, wide: width });
    collect(this.zoomed, 0, width);
    const rows = Math.max(...this.boxes.map((box) => box.node.depth)) + 1;
    const svg = svgElement('svg', { width, height: rows * rowHeight + 2, class: 'flame',
      viewBox: `0 0 ${width} ${rows * rowHeight + 2}`, role: 'group', 'aria-label': 'Flame graph',
      'data-zoom': this.zoomed.name });
    this.boxes.forEach((box) => svg.append(this.element(box)));
    clear(this.canvas);
    this.canvas.append(svg);
    this.mark();
  }

  element(box) {
    const { node, x, wide } = box;
    const room = Math.floor((wide - 6) / 7.3);
    const label = node.name.length <= room ? node.name : room >= 4 ? node.name.slice(0, room - 2) + '..' : '';
    box.made = svgElement('g', {
      class: 'box' + (node.depth < this.zoomed.depth ? ' above' : ''),
      tabindex: node === this.zoomed ? 0 : -1, role: 'button', 'aria-label': this.title(node),
      click: () => this.zoom(node), pointerenter: () => this.tell(node), pointerleave: () => this.tell(null),
      focus: () => this.tell(node), keydown: (event) => this.key(event, box),
    }, [
      svgElement('rect', { x: x.toFixed(2), y: node.depth * rowHeight + 1, width: wide.toFixed(2),
        height: rowHeight - 1, rx: 1, fill: flameColour(node) }),
      label ? svgElement('text', { x: (x + 3).toFixed(2), y: node.depth * rowHeight + 14 }, label) : null]);
    return box.made;
  }

  title(node) {
    const where = [node.module, node.where].filter(Boolean).join(', ');
    return `${node.name}${where ? ' (' + where + ')' : ''}: ${bytes(node.bytes)} ` +
      `(${grouped(node.bytes)} bytes), ${(100 * node.bytes / this.root.bytes).toFixed(1)} %`;
  }

  tell(node) {
    this.info.textContent = node ? this.title(node) : this.matched ||
      `${bytes(this.root.bytes)} in all. Click or Enter zooms, Escape resets, arrows walk, / searches.`;
  }

  zoom(node) {
    this.zoomed = node;
    this.draw(this.width);
    const box = this.boxes.find((each) => each.node === node);
    box.made.focus();
  }

  key(event, box) {
    const beside = (step) => {
      const level = this.boxes.filter((each) => each.node.depth === box.node.depth);
      return level[level.indexOf(box) + step];
    };
    const widestChild = () => this.boxes.filter((each) => each.node.parent === box.node)
      .sort((a, b) => b.wide - a.wide)[0];
    const to = { ArrowUp: () => this.boxes.find((each) => each.node === box.node.parent),
      ArrowDown: widestChild, ArrowLeft: () => beside(-1), ArrowRight: () => beside(1) }[event.key];
    if (event.key === 'Enter' || event.key === ' ') this.zoom(box.node);
    else if (event.key === 'Escape') this.zoom(this.root);
    else if (to) {
      const next = to();
      if (next) next.made.focus();
    } else return;
    event.preventDefault();
  }

  // A regular expression, or plain text where it is none.
  search(query) {
    this.test = null;
    if (query) {
      try { this.test = new RegExp(query, 'im'); }
      catch (error) { this.test = new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i'); }
    }
    this.mark();
  }

  hit(node) {
    return this.test !== null && node.parent !== null &&
      this.test.test(node.name + '\n' + node.module + '\n' + node.where);
  }

  // All of the tree counts, drawn or not; of nested hits the outermost.
  matchedBytes(node) {
    if (this.hit(node)) return node.bytes;
    return node.children.reduce((sum, child) => sum + this.matchedBytes(child), 0);
  }

  mark() {
    this.boxes.forEach((box) => box.made.classList.toggle('match', this.hit(box.node)));
    const sum = this.test ? this.matchedBytes(this.root) : 0;
    this.matched = this.test ? `Matched ${(100 * sum / this.root.bytes).toFixed(1)} %, ${bytes(sum)}` : '';
    this.canvas.setAttribute('data-matched', this.test ? sum : '');
    this.tell(null);
  }
}

function showFlames(host, data) {
  const canvas = element('div', { class: 'canvas flames' });
  const info = element('p', { class: 'told', 'aria-live': 'polite' });
  const search = element('input', { type: 'search', placeholder: 'Search ( / )',
    'aria-label': 'Search functions, modules and files: a regular expression',
    input: () => view && view.search(search.value),
    keydown: (event) => {
      if (event.key !== 'Escape') return;
      search.value = '';
      if (view) view.search('');
      event.preventDefault();
    } });
  const reset = element('button', { type: 'button', click: () => view && view.zoom(view.root) }, 'Reset zoom');
  let view = null;
  const buttons = data.flames.map((flame, i) => element('button',
    { type: 'button', 'data-kind': flame.kind, disabled: flame.empty ? '' : null,
      title: flame.empty || flame.title, click: () => choose(i) }, flame.kind));
  const title = element('p', { class: 'title' });
  const choose = (i) => {
    buttons.forEach((button, k) => button.setAttribute('aria-pressed', String(k === i)));
    title.textContent = data.flames[i].title;
    clear(canvas);
    const fresh = element('div', { class: 'canvas' });
    canvas.append(fresh);
    view = new FlameView(fresh, info, flameTree(data, data.flames[i]));
    view.search(search.value);
  };
  const first = data.flames.findIndex((flame) => !flame.empty);
  host.append(element('div', { class: 'choice', role: 'group', 'aria-label': 'Kind' }, buttons));
  const empty = data.flames.filter((flame) => flame.empty);
  if (first >= 0) {
    host.append(title, element('div', { class: 'choice' }, [search, reset]), info, canvas);
    choose(first);
  }
  if (empty.length) {
    host.append(element('p', { class: 'key' }, 'Nothing to draw: ' +
      empty.map((flame) => flame.kind + ' (' + flame.empty + ')').join('; ') + '.'));
  }
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    search.focus();
    event.preventDefault();
  });
}
