// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The books over time, stacked, with the requests' count; and the arenas as bars.

// From the bottom: what hardly moves first.
const bookOrder = ['image', 'stack', 'anon.mapped', 'heap.overhead', 'heap.live', 'heap.retained',
                   'unexplained'];
const bookMeanings = {
  'heap.live': 'held by the program',
  'heap.retained': 'freed, kept by malloc',
  'heap.overhead': 'headers and alignment',
  'stack': 'threads\u2019 stacks',
  'anon.mapped': 'mapped, not by malloc',
  'image': 'private pages of files, .bss',
  'unexplained': 'what is left over',
};

function colourOf(name) {
  return 'book-' + name.replace('.', '-');
}

function drawBooks(host, width, data, tell) {
  const readings = data.readings;
  const end = data.report.window.seconds;
  const time = timeUnitOf(end);
  const totals = readings.t.map((_, i) =>
    bookOrder.reduce((sum, name) => sum + Math.max(0, readings.classes[name][i]), 0));
  const highest = Math.max(...totals, 1);
  const requests = readings.requests[readings.requests.length - 1];
  const chart = new Chart(host, width, {
    x: [0, Math.max(end, readings.t[readings.t.length - 1])], y: [0, highest], right: requests || null,
  }, {
    label: 'Resident anonymous memory by class over time, and completed requests',
    x: 'time', xUnit: time[0], xTick: (value) => tickLabel(value, time), y: 'memory', right: 'requests',
  });
  let below = readings.t.map(() => 0);
  for (const name of bookOrder) {
    const values = readings.classes[name];
    const above = below.map((value, i) => value + Math.max(0, values[i]));
    const up = above.map((value, i) => [chart.x(readings.t[i]), chart.y(value)]);
    const down = below.map((value, i) => [chart.x(readings.t[i]), chart.y(value)]).reverse();
    chart.path(up.concat(down), { class: 'area ' + colourOf(name), closed: true,
                                  'data-class': name, 'data-last': values[values.length - 1] });
    below = above;
  }
  chart.path(readings.requests.map((value, i) => [chart.x(readings.t[i]), chart.yRight(value)]),
             { class: 'line requests', 'data-last': requests });
  chart.cursor(readings.t, tell);
}


function booksTable(data) {
  const swatch = (name) => element('span', { class: 'swatch ' + colourOf(name) });
  const rows = data.report.books.map((book) => [
    [swatch(book.class), ' ' + book.class,
     element('span', { class: 'meaning' }, bookMeanings[book.class] || '')],
    bytes(book.first), bytes(book.last), signedBytes(book.delta)]);
  const sum = (key) => data.report.books.reduce((total, book) => total + book[key], 0);
  rows.push(['sum', bytes(sum('first')), bytes(sum('last')), signedBytes(sum('delta'))]);
  return table(['class', 'first', 'last', 'change'], rows, { class: 'figures books' });
}

function showBooks(host, data) {
  if (!data.readings) {
    host.append(element('p', {}, 'Not measured: the heap was not read (see the notes).'));
    return;
  }
  const readings = data.readings;
  const canvas = element('div', { class: 'canvas' });
  const told = element('p', { class: 'told long', 'aria-live': 'polite' });
  const tell = (i) => {
    told.textContent = i < 0 ? 'Point at the chart, or focus it and use the arrow keys.'
      : seconds(readings.t[i]) + ', ' + grouped(readings.requests[i]) + ' requests: ' +
        bookOrder.slice().reverse().filter((name) => readings.classes[name][i] !== 0)
          .map((name) => name + ' ' + bytes(readings.classes[name][i])).join(', ');
  };
  tell(-1);
  const key = element('p', { class: 'key' }, [element('span', { class: 'stroke requests' }),
    ' completed requests (right axis); the classes are coloured as in the table']);
  host.append(canvas, told, key, element('div', { class: 'scroll' }, booksTable(data)));
  drawToWidth(canvas, (width) => drawBooks(canvas, width, data, tell));
}

function arenaBar(arena, largest) {
  const kept = Math.max(0, arena.resident_free - arena.releasable);
  const rest = Math.max(0, arena.size - arena.in_use - arena.resident_free);
  const part = (kind, size) => element('span', {
    class: 'part ' + kind, style: 'width:' + (100 * size / largest).toFixed(3) + '%',
    'data-bytes': size, title: kind.replace('-', ' ') + ': ' + bytes(size),
  });
  return element('div', { class: 'bar', role: 'img',
    'aria-label': `live ${bytes(arena.in_use)}, free and resident ${bytes(arena.resident_free)}, ` +
      `of it releasable ${bytes(arena.releasable)}` },
  [part('live', arena.in_use), part('kept', kept), part('releasable', arena.releasable),
   part('not-resident', rest)]);
}

function stackList(frames) {
  return element('ol', { class: 'stack' }, frames.map((frame) => element('li', {}, [
    element('code', {}, frame.function),
    element('span', { class: 'where' }, [frame.file ? baseName(frame.file) + (frame.line ? ':' + frame.line : '') : '',
      baseName(frame.module)].filter(Boolean).join('  '))])));
}

function arenaPin(arena, culprit, data) {
  if (!arena.pin) return element('p', { class: 'pin' }, 'Nothing in use keeps it from shrinking.');
  const what = `Kept from shrinking by ${bytes(arena.pin.bytes)} at ${arena.pin.address}, allocated `;
  if (culprit === null) return element('p', { class: 'pin' }, what + 'before the attach or not sampled.');
  return element('details', { class: 'pin' }, [
    element('summary', {}, what + 'by ' + frameText(data, culprit)), stackList(arena.pin.stack)]);
}

const shownArenas = 12;

function showArenas(host, data) {
  const retention = data.report.retention;
  if (!retention) {
    host.append(element('p', {}, 'Not measured: the heap was not read.'));
    return;
  }
  host.append(element('p', {}, `${bytes(retention.resident_free)} are free and resident; ` +
    `malloc_trim(0) would give back ${bytes(retention.releasable)}.`));
  host.append(element('p', { class: 'key' }, [['live', 'in use'], ['kept', 'free and resident'],
    ['releasable', 'of it releasable'], ['not-resident', 'not resident']].map(([kind, words]) =>
    element('span', { class: 'entry' }, [element('span', { class: 'swatch ' + kind }), ' ' + words]))));
  const largest = Math.max(1, ...retention.arenas.map((arena) =>
    Math.max(arena.size, arena.in_use + arena.resident_free)));
  retention.arenas.slice(0, shownArenas).forEach((arena, i) => host.append(
    element('div', { class: 'arena' }, [
      element('p', { class: 'name' }, [element('b', {}, `${i + 1}. ${bytes(arena.size)}`),
        ` in ${counted(arena.heaps, 'heap')}: ${bytes(arena.in_use)} in use, ` +
        `${bytes(arena.resident_free)} free and resident, ${bytes(arena.releasable)} releasable`]),
      arenaBar(arena, largest), arenaPin(arena, data.pin_culprits[i], data)])));
  const more = retention.arenas.length - shownArenas;
  if (more > 0) host.append(element('p', {}, `... and ${more} more arenas`));
}
