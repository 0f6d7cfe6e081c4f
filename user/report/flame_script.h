// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of a flame graph that do not depend on the recording. The script takes what it needs
// from attributes and text of the boxes, so that nothing of the target's ever is code.
#pragma once

namespace asrtrace::report {

inline constexpr const char* kFlameStyle = R"css(
svg { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; background: #ffffff; }
.title { font-size: 16px; font-weight: bold; }
.title, .info { fill: #1c1c1c; }
.f { cursor: pointer; }
.f text { fill: #111111; pointer-events: none; }
.f rect { stroke: #ffffff; stroke-width: 0.5; }
.f:hover rect, .f:focus rect { stroke: #000000; stroke-width: 1.5; }
.f:focus { outline: none; }
.up rect { opacity: 0.5; }
.m rect { fill: #e05be0; }
.off { display: none; }
.bar { display: flex; gap: 8px; }
.bar input { flex: 0 1 320px; min-width: 0; }
.bar input, .bar button { font: inherit; color: #1c1c1c; background: #f4f4f4;
  border: 1px solid #888888; border-radius: 3px; padding: 2px 6px; }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c; }
  .title, .info { fill: #e6e6e6; }
  .f rect { stroke: #16181c; filter: brightness(0.88); }
  .f:hover rect, .f:focus rect { stroke: #ffffff; }
  .up text { fill: #e6e6e6; }
  .bar input, .bar button { color: #e6e6e6; background: #2a2d33; }
}
)css";

inline constexpr const char* kFlameScript = R"js(
(function () {
  'use strict';
  var script = document.currentScript;
  var svg = script && script.ownerSVGElement || document.documentElement;
  var search = svg.querySelector('.search'), reset = svg.querySelector('.reset');
  var info = svg.querySelector('.info'), bar = svg.querySelector('.holder');
  var height = Number(svg.getAttribute('data-height'));
  var margin = 10, eps = 1e-9, charWidth = 7.25;
  var view = { x: 0, w: 1, d: 0 }, width = 1200, matched = '';
  var frames = Array.prototype.map.call(svg.querySelectorAll('.f'), function (g, i) {
    var title = g.querySelector('title').textContent;
    return { g: g, i: i, rect: g.querySelector('rect'), text: g.querySelector('text'),
             title: title, key: title.split('\n').slice(0, 2).join('\n'),
             label: g.getAttribute('data-label'), x: Number(g.getAttribute('data-x')),
             w: Number(g.getAttribute('data-w')), d: Number(g.getAttribute('data-d')) };
  });

  function place(f) {
    var inner = width - 2 * margin;
    var around = f.x <= view.x + eps && f.x + f.w >= view.x + view.w - eps;
    var left = around ? 0 : (f.x - view.x) / view.w * inner;
    var wide = around ? inner : f.w / view.w * inner;
    var off = !around && (f.x < view.x - eps || f.x + f.w > view.x + view.w + eps);
    off = off || wide < 0.3;
    f.g.classList.toggle('off', off);
    f.g.classList.toggle('up', !off && f.d < view.d);
    if (off) return;
    f.rect.setAttribute('x', (margin + left).toFixed(2));
    f.rect.setAttribute('width', wide.toFixed(2));
    f.text.setAttribute('x', (margin + left + 3).toFixed(2));
    var room = Math.floor((wide - 6) / charWidth);
    f.text.textContent = f.label.length <= room ? f.label
      : room >= 4 ? f.label.slice(0, room - 2) + '..' : '';
  }

  function layout() {
    width = Math.max(300, Math.round(svg.getBoundingClientRect().width) || 1200);
    svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
    bar.setAttribute('width', width - 2 * margin);
    frames.forEach(place);
  }

  function zoom(f) {
    view = { x: f.x, w: f.w, d: f.d };
    svg.setAttribute('data-zoom', f.i);
    reset.disabled = f.i === 0;
    layout();
  }

  function tell(f) { info.textContent = f ? f.title.replace(/\n+/g, '  |  ') : matched; }

  function find(query) {
    var test = null, sum = 0, count = 0, end = 0;
    if (query) {
      try { test = new RegExp(query, 'i'); }
      catch (e) { test = new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i'); }
    }
    frames.forEach(function (f) {
      var hit = test !== null && f.i !== 0 && test.test(f.key);
      f.g.classList.toggle('m', hit);
      if (!hit) return;
      count += 1;
      if (f.x < end - eps) return;
      sum += f.w;
      end = f.x + f.w;
    });
    matched = test ? 'matched ' + (100 * sum).toFixed(1) + ' % in ' + count + (count === 1 ? ' box' : ' boxes') : '';
    svg.setAttribute('data-matched', test ? (100 * sum).toFixed(1) : '');
    tell(null);
  }

  function shown(f) { return f && !f.g.classList.contains('off'); }
  function next(f, step) {
    for (var i = f.i + step; i >= 0 && i < frames.length; i += step) {
      if (frames[i].d === f.d && shown(frames[i])) return frames[i];
    }
    return null;
  }
  function parent(f) {
    for (var i = f.i - 1; i >= 0; i -= 1) if (frames[i].d === f.d - 1) return frames[i];
    return null;
  }
  function child(f) {
    var best = null;
    for (var i = f.i + 1; i < frames.length && frames[i].d > f.d; i += 1) {
      if (frames[i].d === f.d + 1 && shown(frames[i]) && (!best || frames[i].w > best.w)) {
        best = frames[i];
      }
    }
    return best;
  }

  frames.forEach(function (f) {
    f.g.addEventListener('click', function () { zoom(f); });
    f.g.addEventListener('mouseenter', function () { tell(f); });
    f.g.addEventListener('mouseleave', function () { tell(null); });
    f.g.addEventListener('focus', function () { tell(f); });
    f.g.addEventListener('keydown', function (event) {
      var to = event.key === 'ArrowUp' ? child(f) : event.key === 'ArrowDown' ? parent(f)
        : event.key === 'ArrowLeft' ? next(f, -1) : event.key === 'ArrowRight' ? next(f, 1) : null;
      if (event.key === 'Enter' || event.key === ' ') zoom(f);
      else if (to) to.g.focus();
      else return;
      event.preventDefault();
    });
  });
  svg.addEventListener('keydown', function (event) {
    if (event.key === 'Escape' && event.target === search) {
      search.value = '';
      find('');
      search.blur();
    } else if (event.key === 'Escape') {
      zoom(frames[0]);
    } else if (event.key === '/' && event.target !== search) {
      search.focus();
      event.preventDefault();
    }
  });
  document.addEventListener('keydown', function (event) {
    if (event.target !== document.body && event.target !== document.documentElement) return;
    if (event.key === 'Escape') zoom(frames[0]);
    if (event.key === '/') { search.focus(); event.preventDefault(); }
  });
  search.addEventListener('input', function () { find(search.value); });
  reset.addEventListener('click', function () { zoom(frames[0]); });
  window.addEventListener('resize', layout);
  bar.classList.remove('off');
  zoom(frames[0]);
}());
)js";

}  // namespace asrtrace::report
