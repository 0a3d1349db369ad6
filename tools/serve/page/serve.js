'use strict';
// Three views in one page, by its address: the runs of the folder, the curves of one, two side by side.

const main = document.getElementById('main');
const query = new URLSearchParams(location.search);

// element('td', {class: 'number'}, 'text', child, ...): texts are never read as HTML.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

const link = (path, values) => path + '?' + new URLSearchParams(values);
const fileOf = (run) => '/files/' + (run.path === '.' ? '' : run.path.split('/').map(encodeURIComponent).join('/') + '/') + run.page;
const nameOf = (run) => run.path === '.' ? 'this folder' : run.path;

function show(title, ...children) {
  document.title = title + ' · Strata';
  main.replaceChildren(element('h1', {}, title), ...children);
}

// ---- the runs

function showRuns(runs) {
  if (runs.length === 0) return show('No runs', element('p', {}, 'There is no run, report or gallery in this folder yet.'));
  const form = element('form', {action: '/compare'});
  const body = element('tbody');
  const first = runs.filter((run) => run.metrics);
  runs.forEach((run) => {
    const choices = ['a', 'b'].map((side, i) => {
      const radio = element('input', {type: 'radio', name: side, value: run.path, 'aria-label': `${nameOf(run)} on the ${i ? 'right' : 'left'}`});
      radio.checked = run === (first[i] || first[0] || runs[0]);
      return element('td', {}, radio);
    });
    body.append(element('tr', {}, element('td', {}, nameOf(run)), element('td', {class: 'soft'}, run.title),
      element('td', {}, ...(run.page ? [element('a', {href: fileOf(run)}, run.page === 'report.html' ? 'report' : 'page')] : [])),
      element('td', {}, ...(run.metrics ? [element('a', {href: link('/curves', {run: run.path})}, 'curves')] : [])),
      ...choices));
  });
  const heads = ['run', 'what it is', '', '', 'left', 'right'].map((text) => element('th', {scope: 'col'}, text));
  form.append(element('div', {class: 'wide'}, element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body)),
    element('p', {}, element('button', {}, 'Compare left and right')));
  show(`${runs.length} ${runs.length === 1 ? 'run' : 'runs'}`, form);
}

// ---- curves

// What can be drawn of the columns of metrics.jsonl: {name, parts: [{kind, points}]}, in the order of the file.
function curvesOf(metrics) {
  const curves = new Map();
  for (const kind of ['train', 'validation']) {
    const columns = metrics[kind] || {};
    const rows = (columns.step || []).length;
    const add = (name, value) => {
      const points = d3.range(rows).map((i) => [columns.step[i], value(i)]).filter((p) => Number.isFinite(p[1]));
      if (points.length === 0) return;
      if (!curves.has(name)) curves.set(name, []);
      curves.get(name).push({kind, points});
    };
    for (const name of Object.keys(columns)) {
      if (['step', 'epoch', 'seconds', 'scores', 'kind'].includes(name)) continue;
      add(name.replace(/_/g, ' '), (i) => columns[name][i] === null ? NaN : columns[name][i]);
    }
    const scores = (columns.scores || []).find((s) => s) || [];
    scores.forEach((score, k) => add(score.name, (i) => {
      const found = columns.scores[i] && columns.scores[i][k];
      return found && found.value !== null ? found.value : NaN;
    }));
  }
  return curves;
}

// One figure: the curves of that name of each side ('a', 'b'); held-out data are dashed.
function chart(name, sides) {
  const width = 460, height = 240, left = 56, right = 12, top = 8, bottom = 28;
  const all = sides.flatMap(({parts}) => parts.flatMap((part) => part.points));
  const x = d3.scaleLinear().domain([0, d3.max(all, (p) => p[0]) || 1]).range([left, width - right]);
  const y = d3.scaleLinear().domain(d3.extent(all, (p) => p[1])).nice().range([height - bottom, top]);
  const last = sides.map(({side, title, parts}) => element('span', {class: side}, title + parts.map(({kind, points}) =>
    `${kind === 'train' ? 'training' : 'held-out (dashed)'} ${d3.format('.4~g')(points[points.length - 1][1])}`).join(', ')));
  const svg = d3.create('svg').attr('viewBox', [0, 0, width, height]).attr('role', 'img').attr('aria-label', `${name} by step; last values: ${last.map((span) => span.textContent).join('; ')}`);
  svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${height - bottom})`).call(d3.axisBottom(x).ticks(5));
  svg.append('g').attr('class', 'axis').attr('transform', `translate(${left},0)`).call(d3.axisLeft(y).ticks(5));
  const line = d3.line().x((p) => x(p[0])).y((p) => y(p[1]));
  for (const {side, parts} of sides) {
    for (const {kind, points} of parts)
      svg.append('path').attr('class', `curve ${side} ${kind === 'train' ? '' : 'held-out'}`).attr('d', line(points));
  }
  return element('figure', {}, element('figcaption', {}, name), svg.node(), element('p', {class: 'last'}, ...last.flatMap((span, i) => i ? ['; ', span] : [span])));
}

// sides: [{side, title, metrics}]: the class that colours it, and what stands before its numbers.
function charts(sides) {
  const found = sides.map(({side, title, metrics}) => ({side, title, curves: curvesOf(metrics)}));
  const names = [...new Set(['loss', 'accuracy', ...found.flatMap(({curves}) => [...curves.keys()])])]
    .filter((name) => found.some(({curves}) => curves.has(name)));
  if (names.length === 0) return element('p', {}, 'No line of training or validation has been written yet.');
  const grid = element('div', {class: 'charts'});
  for (const name of names)
    grid.append(chart(name, found.filter(({curves}) => curves.has(name)).map(({side, title, curves}) => ({side, title, parts: curves.get(name)}))));
  return grid;
}

// The last accuracy of each probe of the trained network, {layer: {factor: accuracy}}.
function lastProbes(metrics) {
  const probes = metrics.probe || {step: []}, table = {};
  probes.step.forEach((step, i) => {
    if (probes.control[i] === 'trained') (table[probes.layer[i]] = table[probes.layer[i]] || {})[probes.factor[i]] = probes.accuracy[i];
  });
  return table;
}

function probeTable(all) {
  const sides = all.filter(({metrics}) => (metrics.probe || {step: []}).step.length > 0);
  const tables = sides.map(({metrics}) => lastProbes(metrics));
  const layers = [...new Set(tables.flatMap(Object.keys))];
  const factors = [...new Set(tables.flatMap((t) => Object.values(t).flatMap(Object.keys)))];
  if (layers.length === 0) return [];
  const head = element('tr', {}, element('th', {scope: 'col'}, 'layer'), ...factors.map((f) => element('th', {class: 'number', scope: 'col'}, f)));
  const rows = layers.map((layer) => element('tr', {}, element('th', {scope: 'row'}, layer), ...factors.map((factor) => {
    const cell = element('td', {class: 'number'});
    tables.forEach((table, i) => {
      const value = (table[layer] || {})[factor];
      if (i > 0) cell.append(' / ');
      cell.append(element('span', {class: sides[i].side}, Number.isFinite(value) ? (100 * value).toFixed(1) : '–'));
    });
    return cell;
  })));
  return [element('h2', {}, 'Read from each layer by a linear probe at the end, %'), element('div', {class: 'wide'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows)))];
}

async function showCurves(run) {
  const sides = [{side: 'a', title: '', metrics: await fetched(link('/api/metrics', {run: run.path}))}];
  const page = run.page ? [element('p', {}, element('a', {href: fileOf(run)}, 'Its page'))] : [];
  show(run.title || nameOf(run), ...page, charts(sides), ...probeTable(sides));
}

// ---- two runs side by side

function chooser(name, label, options, chosen, changed) {
  const select = element('select', {name});
  for (const [value, text] of options) select.append(element('option', {value}, text));
  select.value = chosen;
  select.addEventListener('change', () => changed(select.value));
  return element('label', {class: name}, label, select);
}

// Both reports in frames; the choice of a section moves both.
function reports(pair) {
  const frames = pair.map((run, i) => element('iframe', {src: fileOf(run), title: `${i ? 'Right' : 'Left'}: ${nameOf(run)}`}));
  const goTo = (id) => frames.forEach((frame) => {
    const target = frame.contentDocument && frame.contentDocument.getElementById(id);
    if (target) target.scrollIntoView();
  });
  const select = element('select', {name: 'section'}, element('option', {value: ''}, 'top'));
  select.addEventListener('change', () => select.value ? goTo(select.value) : frames.forEach((frame) => frame.contentWindow.scrollTo(0, 0)));
  let waiting = 2;
  frames.forEach((frame) => frame.addEventListener('load', () => {
    if (--waiting > 0) return;
    const [left, right] = frames.map((f) => [...f.contentDocument.querySelectorAll('section[id]')]);
    const both = left.filter((section) => right.some((other) => other.id === section.id));
    for (const section of both) {
      const heading = section.querySelector('h2');
      select.append(element('option', {value: section.id}, heading ? heading.textContent : section.id));
    }
  }));
  return [element('div', {class: 'choice'}, element('label', {}, 'Section of both', select)), element('div', {class: 'beside'}, ...frames)];
}

async function showComparison(runs, a, b) {
  const pair = [a, b];
  const withPages = pair.every((run) => run.page), withCurves = pair.every((run) => run.metrics);
  const view = query.get('view') || (withCurves ? 'curves' : 'pages');
  const go = (change) => { location.href = link('/compare', {a: a.path, b: b.path, view, ...change}); };
  const options = runs.map((run) => [run.path, nameOf(run)]);
  const choice = element('div', {class: 'choice'}, chooser('a', 'Left', options, a.path, (value) => go({a: value})),
    chooser('b', 'Right', options, b.path, (value) => go({b: value})),
    chooser('view', 'Show', [['curves', 'curves and probes'], ['pages', 'reports']], view, (value) => go({view: value})));
  let shown;
  if (view === 'pages') {
    shown = withPages ? reports(pair) : [element('p', {}, 'Not both have a report.')];
  } else if (withCurves) {
    const sides = await Promise.all(pair.map(async (run, i) => ({side: 'ab'[i], title: ['left ', 'right '][i], metrics: await fetched(link('/api/metrics', {run: run.path}))})));
    shown = [charts(sides), ...probeTable(sides)];
  } else {
    shown = [element('p', {}, 'Not both have metrics.')];
  }
  show(`${nameOf(a)} and ${nameOf(b)}`, choice, ...shown);
}

async function start() {
  const runs = await fetched('/api/runs');
  const named = (key) => {
    const run = runs.find((candidate) => candidate.path === query.get(key));
    if (!run) throw new Error(`There is no run '${query.get(key)}' in this folder.`);
    return run;
  };
  if (location.pathname === '/curves') return showCurves(named('run'));
  if (location.pathname === '/compare') return showComparison(runs, named('a'), named('b'));
  return showRuns(runs);
}

start().catch((error) => show('This did not work', element('p', {role: 'alert'}, error.message)));
