// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sites with their growth curves: sorted, filtered, each with its stack and its fitted slope.

const sitesAtOnce = 40;

const siteOrders = [
  ['bytes a request', (row) => (row.slope === null ? -Infinity : row.slope)],
  ['bytes', (row) => row.bytes],
  ['blocks', (row) => row.blocks],
];

function sparkline(row) {
  const width = 120, height = 28;
  const high = Math.max(...row.curve, 1), steps = Math.max(row.curve.length - 1, 1);
  const d = row.curve.map((value, i) => (i ? 'L' : 'M') + (1 + i / steps * (width - 2)).toFixed(1) + ' ' +
    (height - 2 - value / high * (height - 4)).toFixed(1)).join('');
  return svgElement('svg', { width, height, viewBox: `0 0 ${width} ${height}`, class: 'spark', role: 'img',
    'aria-label': `from ${bytes(row.curve[0])} to ${bytes(row.curve[row.curve.length - 1])}` },
  [svgElement('path', { d: `${d}L${width - 1} ${height - 1}L1 ${height - 1}Z`, class: 'under' }),
   svgElement('path', { d, class: 'line level' })]);
}

function siteName(data, row) {
  if (row.culprit === null) return [row.marks[0] || '[unknown]', '', ''];
  return frameOf(data, row.culprit);
}

function siteDetail(data, row) {
  const frames = data.stacks[row.stack].map((index) => frameOf(data, index)).reverse();
  const level = { name: siteName(data, row)[0], x: data.site_requests, y: row.curve, slope: row.slope, ci95: row.ci95 };
  return element('div', { class: 'detail' }, [
    element('div', {}, data.site_requests.length > 1 ? slopePanel(level, unitWord(data)) : []),
    element('ol', { class: 'stack' }, frames.map(([name, where, module]) => element('li', {}, [
      element('code', {}, name), element('span', { class: 'where' }, [where, module].filter(Boolean).join('  '))])))]);
}

function siteRow(data, row) {
  const [name, where, module] = siteName(data, row);
  const unit = unitWord(data);
  const made = element('details', { class: 'site', toggle: () => {
    if (made.open && !made.querySelector('.detail')) made.append(siteDetail(data, row));
  } }, element('summary', {}, [
    sparkline(row),
    element('span', { class: 'who' }, [element('code', {}, name),
      element('span', { class: 'where' }, [where, module].concat(row.marks.slice(row.culprit === null ? 1 : 0))
        .filter(Boolean).join('  '))]),
    element('span', { class: 'rate' }, [row.slope === null ? '-' : bytes(row.slope) + ' / ' + unit,
      element('span', { class: 'where' }, row.ci95 ? byteRange(row.ci95) : '')]),
    element('span', { class: 'size' }, [bytes(row.bytes),
      element('span', { class: 'where' }, counted(row.blocks, 'block'))])]));
  return made;
}

function showSites(host, data) {
  const state = { list: 0, order: 0, query: '', shown: sitesAtOnce };
  const body = element('div', { class: 'rows' });
  const more = element('button', { type: 'button', click: () => {
    state.shown += sitesAtOnce;
    fill();
  } });
  const count = element('p', { class: 'key', 'aria-live': 'polite' });
  const text = (row) => data.stacks[row.stack].map((index) => frameOf(data, index).join(' ')).join(' ').toLowerCase();
  const fill = () => {
    const list = data.sites[state.list];
    const rows = list.rows.filter((row) => !state.query || text(row).includes(state.query))
      .sort((a, b) => siteOrders[state.order][1](b) - siteOrders[state.order][1](a));
    clear(body);
    body.append(...rows.slice(0, state.shown).map((row) => siteRow(data, row)));
    if (!list.rows.length) body.append(element('p', {}, 'None.'));
    more.hidden = rows.length <= state.shown;
    more.textContent = `Show ${Math.min(sitesAtOnce, rows.length - state.shown)} more`;
    count.textContent = counted(rows.length, 'site') + (state.query ? ' found' : '') +
      (list.omitted ? `; ${grouped(list.omitted)} smaller ones are left out of this page` : '');
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === state.list)));
  };
  const buttons = data.sites.map((list, i) => element('button', { type: 'button', click: () => {
    state.list = i;
    state.shown = sitesAtOnce;
    fill();
  } }, list.title));
  const order = element('select', { 'aria-label': 'Sort by', change: () => {
    state.order = order.selectedIndex;
    fill();
  } }, siteOrders.map(([words]) => element('option', {}, 'by ' + words)));
  const filter = element('input', { type: 'search', placeholder: 'Filter by any frame', 'aria-label': 'Filter sites by any frame',
    input: () => {
      state.query = filter.value.toLowerCase();
      state.shown = sitesAtOnce;
      fill();
    } });
  host.append(element('div', { class: 'choice', role: 'group', 'aria-label': 'Sites of' }, buttons),
    element('div', { class: 'choice' }, [filter, order]), count, body, more);
  fill();
}
