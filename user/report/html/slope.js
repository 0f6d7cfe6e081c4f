// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A level over requests with the slope that was fitted to it (Theil-Sen) and its 95 % band.

function median(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function rateText(level, unit) {
  if (level.slope === null) return 'no slope can be told';
  return `${bytes(level.slope)} per ${unit}` +
    (level.ci95 ? ` (95 % interval ${byteRange(level.ci95)})` : ' (too few points for an interval)');
}

// level: { name, x, y, slope, ci95 }
function drawSlope(host, width, level, unit, tell) {
  const x = level.x, last = x[x.length - 1];
  // Theil-Sen's line passes through the median of the residuals; the band turns around it.
  const middle = median(x);
  const at = level.slope === null ? 0 : median(level.y.map((y, i) => y - level.slope * (x[i] - middle)));
  const fitted = (slope, position) => at + slope * (position - middle);
  const band = level.ci95 ? level.ci95.map((slope) => [[x[0], fitted(slope, x[0])], [last, fitted(slope, last)]]) : [];
  const heights = level.y.concat(level.slope === null ? [] : [fitted(level.slope, x[0]), fitted(level.slope, last)]);
  const low = Math.min(...heights, x[0] === 0 && level.y[0] === 0 ? 0 : Infinity), high = Math.max(...heights);
  const room = (high - low) * 0.05 || Math.max(1, Math.abs(high) * 0.05);
  const chart = new Chart(host, width, { x: [x[0], last], y: [low < 0 || low > room ? low - room : 0, high + room] }, {
    label: `${level.name}: ${rateText(level, unit)}`, x: unit + 's completed', xTick: grouped, y: 'bytes',
  });
  const clip = 'clip-' + Math.random().toString(36).slice(2);
  chart.add('clipPath', { id: clip }, svgElement('rect', { x: chart.left, y: chart.top - 2,
    width: chart.right - chart.left, height: chart.bottom - chart.top + 4 }));
  const place = ([px, py]) => [chart.x(px), chart.y(py)];
  if (band.length) {
    chart.path([band[0][0], band[0][1], band[1][1], band[1][0]].map(place),
               { class: 'band', closed: true, 'clip-path': `url(#${clip})`,
                 'data-low': level.ci95[0], 'data-high': level.ci95[1] });
  }
  chart.path(x.map((value, i) => place([value, level.y[i]])), { class: 'line level' });
  x.forEach((value, i) => chart.add('circle', { cx: chart.x(value), cy: chart.y(level.y[i]), r: 2.5, class: 'dot' }));
  if (level.slope !== null) {
    chart.path([[x[0], fitted(level.slope, x[0])], [last, fitted(level.slope, last)]].map(place),
               { class: 'line fit', 'clip-path': `url(#${clip})`, 'data-slope': level.slope });
  }
  chart.cursor(x, tell);
}

function slopePanel(level, unit) {
  const canvas = element('div', { class: 'canvas' });
  const told = element('p', { class: 'told', 'aria-live': 'polite' });
  const tell = (i) => {
    told.textContent = i < 0 ? rateText(level, unit)
      : `after ${grouped(level.x[i])} ${unit}s: ${bytes(level.y[i])}`;
  };
  tell(-1);
  // Drawn once it has a width, which it has only when it is shown.
  drawToWidth(canvas, (width) => drawSlope(canvas, width, level, unit, tell));
  return [canvas, told];
}

function showGrowth(host, data) {
  if (!data.levels.length) {
    host.append(element('p', {}, 'Too few requests to fit anything to.'));
    return;
  }
  const unit = unitWord(data);
  const panel = element('div', {});
  const buttons = data.levels.map((level, i) => element('button', { type: 'button', click: () => choose(i) }, level.name));
  const choose = (i) => {
    buttons.forEach((button, k) => button.setAttribute('aria-pressed', String(k === i)));
    clear(panel);
    panel.append(...slopePanel(data.levels[i], unit));
  };
  host.append(element('div', { class: 'choice', role: 'group', 'aria-label': 'Level' }, buttons), panel,
    element('p', { class: 'key' }, [element('span', { class: 'stroke level' }), ' measured   ',
      element('span', { class: 'stroke fit' }), ' fitted slope (Theil-Sen)   ',
      element('span', { class: 'swatch band' }), ' its 95 % interval']));
  choose(0);
}

function unitWord(data) {
  return data.report.requests && data.report.requests.source === 'every' ? 'interval' : 'request';
}
