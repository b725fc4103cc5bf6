"""The style sheet of reports: light and dark, phone and print, a palette for the colour-blind (Okabe and Ito)."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --panel: #f5f7fa; --ink: #1d2733; --soft: #566172; --grid: #d5dae1;
  --link: #005a8f; --good: #00704f; --bad: #b02a12; --train: #0072b2; --validation: #e69f00; --test: #009e73;
  --random: #d55e00; --fifth: #b0558a; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #14181e; --panel: #1d232c; --ink: #e4e9f0; --soft: #a3aebd;
  --grid: #3a4452; --link: #7cc4f5; --good: #4fd1a5; --bad: #ff8f78; --train: #56b4e9; --validation: #f0b429;
  --test: #2fc79b; --random: #ff8a3d; --fifth: #e3a3c6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
h1, h2, figcaption { line-height: 1.25; } p { margin: .5rem 0; max-width: 46rem; } a { color: var(--link); }
nav { font-size: .9rem; } nav a { display: inline-block; margin-right: .9rem; padding: .2rem 0; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: .8rem 0; }
.tile { flex: 1 1 9rem; margin: 0; padding: .6rem .9rem; background: var(--panel); border: 1px solid var(--grid);
  border-radius: .4rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .9rem; }
.good b { color: var(--good); } .bad b { color: var(--bad); }
.note { padding: .5rem .9rem; border-left: .25rem solid var(--bad); background: var(--panel); }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 2rem;
  align-items: start; }
figure { margin: 0; max-width: 32rem; } figcaption { font-weight: 600; font-size: .95rem; margin: .4rem 0 .5rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg * { stroke-linejoin: round; stroke-linecap: butt; } svg text { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .9rem; margin: .4rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0 0 .3rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--grid); }
th { font-weight: 600; } tbody th { font-weight: 400; } .n { text-align: right; } td.n, code { white-space: nowrap; }
bdi { overflow-wrap: anywhere; } .wide { min-width: 14rem; } th:has(bdi) { min-width: 6rem; }
small { color: var(--soft); font-size: .85em; } code { font-size: .9em; }
.heat { display: block; padding: 0 .4rem; background: color-mix(in srgb, var(--train) var(--heat), transparent); }
mark { background: color-mix(in srgb, var(--validation) 35%, transparent); color: inherit; padding: 0 .1em; }
.case { margin: 1rem 0; padding: .2rem 1rem .6rem; background: var(--panel); border: 1px solid var(--grid); }
.case h4 { margin: .6rem 0 .2rem; } .case p, .case blockquote { max-width: none; overflow-wrap: anywhere; }
blockquote { margin: .4rem 0; padding: .1rem 0 .1rem .8rem; border-left: .2rem solid var(--grid); }
.no { text-decoration: underline dotted var(--bad); text-underline-offset: .2em; }
summary { cursor: pointer; color: var(--link); padding: .3rem 0; }
@media screen and (max-width: 30rem) { body { padding: .7rem; } th, td { padding-right: .5rem; } small { display: block; } }
@page { margin: 1.4cm; }
@media print { body { max-width: none; padding: 0; font-size: 9pt; } .beside { grid-template-columns: 1fr 1fr; }
  nav { display: none; } figure, tr, .tile, .case { break-inside: avoid; } h2, caption { break-after: avoid; }
  .scroll { overflow: visible; } }
"""
