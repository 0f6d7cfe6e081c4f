// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the charts share: scales, axes, and a cursor that follows the pointer and the arrow keys.

// Round steps of 1, 2 and 5 (of 1, 2, 4 ... in binary units) that cover [low, high].
function ticks(low, high, wanted, unit) {
  const span = Math.max(high - low, 1e-9) / unit;
  const power = Math.pow(10, Math.floor(Math.log10(span / wanted)));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => span / n <= wanted) * unit;
  const out = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) {
    out.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  }
  return out;
}

function tickLabel(value, unit) {
  const scaled = value / unit[0];
  return Number(scaled.toPrecision(6)).toLocaleString('en') + '\u00a0' + unit[1];
}

class Chart {
  // bounds: { x: [low, high], y: [low, high], right: high or null }
  constructor(host, width, bounds, words) {
    this.narrow = width < 560;
    this.width = width;
    this.height = this.narrow ? 240 : 300;
    this.left = this.narrow ? 62 : 74;
    this.right = width - (bounds.right ? (this.narrow ? 40 : 56) : 12);
    this.top = 22;
    this.bottom = this.height - 34;
    this.bounds = bounds;
    this.svg = svgElement('svg', {
      width, height: this.height, viewBox: `0 0 ${width} ${this.height}`, role: 'img', tabindex: 0,
      class: 'chart', 'aria-label': words.label,
    });
    this.axes(words);
    clear(host);
    host.append(this.svg);
  }

  x(value) {
    const [low, high] = this.bounds.x;
    return this.left + (value - low) / (high - low || 1) * (this.right - this.left);
  }

  y(value) {
    const [low, high] = this.bounds.y;
    return this.bottom - (value - low) / (high - low || 1) * (this.bottom - this.top);
  }

  yRight(value) {
    return this.bottom - value / (this.bounds.right || 1) * (this.bottom - this.top);
  }

  add(name, attributes, children) {
    const made = svgElement(name, attributes, children);
    this.svg.append(made);
    return made;
  }

  text(x, y, anchor, text, kind) {
    this.add('text', { x, y, 'text-anchor': anchor, class: kind || 'tick' }, text);
  }

  axes(words) {
    const unit = unitOf(Math.max(Math.abs(this.bounds.y[0]), Math.abs(this.bounds.y[1])));
    for (const value of ticks(this.bounds.y[0], this.bounds.y[1], 5, unit[0])) {
      const y = this.y(value);
      this.add('line', { x1: this.left, x2: this.right, y1: y, y2: y, class: 'grid' });
      this.text(this.left - 6, y + 4, 'end', tickLabel(value, unit));
    }
    const [low, high] = this.bounds.x;
    const along = ticks(low, high, this.narrow ? 4 : 8, words.xUnit || 1);
    for (const value of along) this.text(this.x(value), this.bottom + 16, 'middle', words.xTick(value));
    this.text((this.left + this.right) / 2, this.height - 4, 'middle', words.x, 'axis');
    if (words.y) this.text(this.left - 6, 12, this.narrow ? 'start' : 'end', words.y, 'axis');
    if (!this.bounds.right) return;
    for (const value of ticks(0, this.bounds.right, 4, 1)) {
      this.text(this.right + 6, this.yRight(value) + 4, 'start', grouped(value));
    }
    this.text(this.width - 2, 12, 'end', words.right, 'axis');
  }

  path(points, attributes) {
    const d = points.map(([x, y], i) => (i ? 'L' : 'M') + x.toFixed(2) + ' ' + y.toFixed(2)).join('');
    return this.add('path', { ...attributes, d: attributes.closed ? d + 'Z' : d });
  }

  // A line at one of `positions` (of x); tell(index) is called with where it is, -1: nowhere.
  cursor(positions, tell) {
    const line = this.add('line', { y1: this.top, y2: this.bottom, class: 'cursor off' });
    let at = -1;
    const place = (index) => {
      at = index;
      line.classList.toggle('off', index < 0);
      if (index >= 0) {
        line.setAttribute('x1', this.x(positions[index]));
        line.setAttribute('x2', this.x(positions[index]));
      }
      tell(index);
    };
    this.svg.addEventListener('pointermove', (event) => {
      const x = event.clientX - this.svg.getBoundingClientRect().left;
      let best = 0;
      positions.forEach((position, i) => {
        if (Math.abs(this.x(position) - x) < Math.abs(this.x(positions[best]) - x)) best = i;
      });
      place(best);
    });
    this.svg.addEventListener('pointerleave', () => place(-1));
    this.svg.addEventListener('blur', () => place(-1));
    this.svg.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (event.key === 'Home') place(0);
      else if (event.key === 'End') place(positions.length - 1);
      else if (step) place(Math.min(positions.length - 1, Math.max(0, (at < 0 ? (step > 0 ? -1 : positions.length) : at) + step)));
      else return;
      event.preventDefault();
    });
  }
}
