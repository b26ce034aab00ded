"""The style sheet of the HTML report: light and dark, for a phone and for print."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --ground: #ffffff; --card: #f6f8fa; --edge: #d0d7de;
  --ours: #0b62c4; --theirs: #9a5b00; --good: #116329; --bad: #b3261e; --open: #7d4e00; --down: #ffe3e0; --up: #dafbe1;
  }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --ground: #0d1117; --card: #161b22;
  --edge: #30363d; --ours: #6cb2ff; --theirs: #e3a23c; --good: #56d364; --bad: #ff8b82; --open: #e3b341;
  --down: #4a1d1a;
  --up: #12361f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
.soft { color: var(--soft); font-size: .9rem; }
.verdict { display: inline-block; border: 2px solid; border-radius: .4rem; padding: .1rem .6rem; font-weight: 650; }
.pass { color: var(--good); } .regression, .fail, .infrastructure, .error { color: var(--bad); }
  .inconclusive { color: var(--open); } .no-gate { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .75rem 0; }
dl { font-size: .9rem; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul.gates { list-style: none; padding: 0; margin: 0; } 
ul.gates li { display: grid; grid-template-columns: 8.5rem 1fr; padding: .35rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--edge); }
th { color: var(--soft); font-weight: 600; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.cards td { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--edge);
  border-radius: .5rem; }
figcaption { font-weight: 600; margin-bottom: .6rem; }
svg { display: block; overflow: visible; }
svg text { fill: var(--ink); font-size: 13px; } svg .note, svg .axis { fill: var(--soft); font-size: 12px; }
.rail { stroke: var(--edge); } .zero { stroke: var(--soft); } .mark { stroke: var(--bad); stroke-width: 2;
  stroke-dasharray: 4 3; }
.span { stroke-width: 3; stroke-linecap: round; } .span.candidate { stroke: var(--ours); }
  .span.baseline { stroke: var(--theirs); }
circle.candidate, rect.candidate { fill: var(--ours); } rect.baseline { fill: var(--theirs); }
circle.baseline { fill: var(--card); stroke: var(--theirs); stroke-width: 2.5; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 50%; margin: 0 .35rem 0 .9rem;
  border: 2.5px solid; }
.key.candidate { color: var(--ours); background: var(--ours); } .key.baseline { color: var(--theirs); }
article { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: 1rem 1.25rem;
  margin: 1rem 0; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; margin: .2rem 0 .6rem;
  font-size: .9rem; }
td .text { margin: 0; }
.sides .text { background: var(--ground); border: 1px solid var(--edge); border-radius: .4rem; padding: .6rem;
  min-height: 2.5rem; }
ins, del { text-decoration: none; border-radius: .2rem; } ins { background: var(--up); } del { background: var(--down);
  }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; margin-top: .6rem; }
code { font-size: .85em; }
@media (max-width: 40rem) {
  table:not(.cards) td { white-space: nowrap; }
  body { padding: 1rem; } .sides { grid-template-columns: 1fr; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  table.cards thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table.cards tr { display: block;
  border-bottom: 1px solid var(--edge); padding: .5rem 0; }
  table.cards td { display: grid; grid-template-columns: 7rem 1fr; border: 0; padding: .1rem 0; text-align: left;
  white-space: normal; }
  table.cards td::before { content: attr(data-label); color: var(--soft); } ul.gates li { grid-template-columns: 1fr; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --ground: #fff; --card: #fff; --edge: #bbb; --ours: #0b62c4;
    --theirs: #9a5b00; --good: #116329; --bad: #b3261e; --open: #7d4e00; --down: #ffe3e0; --up: #dafbe1; }
  body { max-width: none; padding: 0; font-size: 12px; } figure, article, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; } details::details-content { content-visibility: visible; }
}
"""
