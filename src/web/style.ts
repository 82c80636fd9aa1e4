/** The page's one style sheet: calm and dense; light and dark by the viewer's choice; readable on a phone. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#fbfbfa, #15181b);
  --panel: light-dark(#ffffff, #1c2024);
  --line: light-dark(#e3e4e1, #2e343a);
  --text: light-dark(#1d2125, #e4e6e8);
  --quiet: light-dark(#626a72, #98a1aa);
  --good: light-dark(#17663b, #6fcf97);
  --warn: light-dark(#8a5a00, #f0b849);
  --bad: light-dark(#a4161a, #ff8a80);
  --bad-ground: light-dark(#fdecea, #3a1f1f);
  --add: light-dark(#e6f4ea, #17301f);
  --del: light-dark(#fdecea, #3a1f1f);
  --accent: light-dark(#0b57a4, #8ab8f0);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text) }
a { color: var(--accent) }
.skip { position: absolute; left: -100vw }
.skip:focus { left: 1rem; top: .5rem; background: var(--panel); padding: .25rem .5rem; z-index: 1 }
header, main, footer { max-width: 78rem; margin: 0 auto; padding: 0 1.25rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; padding-top: 1.25rem }
h1 { font-size: 1.3rem; margin: 0; letter-spacing: -.01em }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; display: flex; gap: .6rem; align-items: baseline }
h2 small, .quiet { color: var(--quiet); font-weight: 400; font-size: .85rem }
.state::before { content: ""; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .4rem; background: currentColor }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }
.notice { border-left: 3px solid var(--warn); background: var(--panel); padding: .5rem .75rem; margin: .75rem 0; overflow-wrap: anywhere }
form.filters { display: flex; flex-wrap: wrap; gap: .5rem; margin: .25rem 0 .75rem }
form.filters label { display: grid; font-size: .75rem; color: var(--quiet); flex: 1 1 8rem; max-width: 14rem }
input, button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 4px; padding: .25rem .5rem; min-width: 0 }
button { cursor: pointer; align-self: end }
button:hover { border-color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 6px }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .75rem; vertical-align: top; overflow-wrap: anywhere }
th { font-size: .75rem; font-weight: 600; color: var(--quiet); white-space: nowrap }
tbody tr { border-top: 1px solid var(--line) }
tr.alarm { background: var(--bad-ground) }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums }
ol.changes { list-style: none; margin: 0; padding: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 6px }
ol.changes > li { padding: .45rem .75rem; border-top: 1px solid var(--line); overflow-wrap: anywhere }
ol.changes > li:first-child { border-top: 0 }
ol.changes .first { display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline }
ol.changes time { color: var(--quiet); font-size: .85rem; font-variant-numeric: tabular-nums }
.action { font-size: .7rem; font-weight: 600; text-transform: uppercase; letter-spacing: .04em; min-width: 4.2rem }
.action.added { color: var(--good) } .action.deleted { color: var(--bad) } .action.updated { color: var(--accent) }
.fresh { animation: fresh 2s ease-out }
@keyframes fresh { from { background: light-dark(#fff6d6, #3a3520) } }
@media (prefers-reduced-motion: reduce) { .fresh { animation: none } }
pre { margin: .4rem 0 .2rem; padding: .5rem .75rem; overflow-x: auto; background: var(--ground); border-radius: 4px; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
pre .add { background: var(--add) } pre .del { background: var(--del) }
summary { cursor: pointer; color: var(--quiet); font-size: .85rem; width: fit-content }
footer { color: var(--quiet); font-size: .85rem; padding-top: 2rem; padding-bottom: 2rem }
.empty { color: var(--quiet); padding: .6rem .75rem }
@media (max-width: 40rem) {
  header, main, footer { padding-left: .75rem; padding-right: .75rem }
  table.stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  table.stack, table.stack tbody, table.stack tr, table.stack td { display: block }
  table.stack td { padding: .1rem .75rem }
  table.stack td::before { content: attr(data-label) " "; color: var(--quiet); font-size: .75rem }
  table.stack tr { padding: .4rem 0 }
  td.number { text-align: left }
}
`;
