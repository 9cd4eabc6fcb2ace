"""The style sheet of the report: plain, readable on paper and on a dark screen, no fonts from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2530; --pale: #5f6b7a; --line: #d9dee5; --page: #ffffff;
  --band: #f5f7fa;
  --s0: #1f6fb4; --s1: #d1641b; --s2: #2f8f4e; --s3: #8a4fb0; --s4: #b3263a; --s5: #6b6f12; --count: #e3e8ee;
  --ours: #eaf3fb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --pale: #98a4b3; --line: #333c48;
  --page: #14181e; --band: #1b212a;
  --s0: #62a8e5; --s1: #f0955a; --s2: #6cc389; --s3: #c08ee2; --s4: #ee7181; --s5: #c9cd62; --count: #28303a;
  --ours: #182a3a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 76rem; background: var(--page);
  color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem; }
p, li { max-width: 62rem; }
.lead, .note { color: var(--pale); margin: .2rem 0 .8rem; }
.note { font-size: .9rem; }
.facts { columns: 19rem; column-gap: 2.2rem; margin: .8rem 0; max-width: 62rem; }
.facts div { display: flex; justify-content: space-between; gap: 1rem; break-inside: avoid;
  border-bottom: 1px solid var(--line); }
.facts dt { color: var(--pale); } .facts dd { margin: 0; text-align: right; }
.figures { display: flex; flex-wrap: wrap; gap: .7rem; margin: 1rem 0; }
.figure { background: var(--band); border-radius: 8px; padding: .6rem 1rem; min-width: 8.5rem; }
.figure b { display: block; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figure span { color: var(--pale); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .3rem 0 .6rem; }
th, td { padding: .26rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap;
  }
th { font-weight: 600; font-size: .86rem; color: var(--pale); vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: .4rem; }
td.text { text-align: left; white-space: normal; color: var(--pale); }
.sheet td.text { min-width: 17rem; }
small { font-weight: 400; color: var(--pale); }
th small { display: block; }
tr.group td { font-weight: 600; padding-top: .7rem; border-bottom-color: var(--pale); }
.side { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
summary { cursor: pointer; font-weight: 600; margin: 1rem 0 .3rem; }
tr.ours td { background: var(--ours); font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.2rem;
  align-items: start; margin: .8rem 0; }
figure { margin: 0; background: var(--band); border-radius: 8px; padding: .7rem; }
svg { display: block; width: 100%; height: auto;
  font: 11.5px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
svg text { fill: var(--ink); } svg .title { font-weight: 600; font-size: 12.5px; }
  svg .tick, svg .label { fill: var(--pale); }
svg .mid { text-anchor: middle; } svg .end { text-anchor: end; }
svg .grid { stroke: var(--line); fill: none; } svg .axis { stroke: var(--pale); fill: none; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; } svg .path { fill: none;
  stroke-linejoin: round; stroke-linecap: round; }
svg .path.true { stroke: var(--s2); stroke-width: 2.4; opacity: .45; } svg .path.found { stroke: var(--s1);
  stroke-width: .9; }
svg .key.true { fill: var(--s2); opacity: .6; } svg .key.found { fill: var(--s1); }
svg .count { fill: var(--count); }
svg .line.s0 { stroke: var(--s0); } svg .line.s1 { stroke: var(--s1); } svg .line.s2 { stroke: var(--s2); }
svg .line.s3 { stroke: var(--s3); } svg .line.s4 { stroke: var(--s4); } svg .line.s5 { stroke: var(--s5); }
svg .bar.s0, svg .dot.s0, svg .key.s0 { fill: var(--s0); } svg .dot.s1, svg .key.s1 { fill: var(--s1); }
svg .dot.s2, svg .key.s2 { fill: var(--s2); } svg .dot.s3, svg .key.s3 { fill: var(--s3); }
svg .dot.s4, svg .key.s4 { fill: var(--s4); } svg .dot.s5, svg .key.s5 { fill: var(--s5); }
@media print { body { padding: 0; } figure, .figure { break-inside: avoid; } }
"""
