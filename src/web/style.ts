/** The page's one style sheet: calm and dense; light and dark by the viewer's choice; readable on a phone. */
import { createHash } from 'node:crypto';

export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#fafaf8, #131618);
  --panel: light-dark(#ffffff, #1a1e21);
  --line: light-dark(#e6e6e1, #2a3035);
  --text: light-dark(#1c2024, #e3e6e8);
  --quiet: light-dark(#5f676f, #99a2aa);
  --good: light-dark(#1a6b3f, #6fcf97);
  --warn: light-dark(#8a5a00, #f0b849);
  --bad: light-dark(#a4161a, #ff8f86);
  --bad-ground: light-dark(#fdf0ee, #321d1d);
  --add: light-dark(#e4f4e8, #16301f);
  --del: light-dark(#fde9e7, #3a1f1f);
  --accent: light-dark(#0b57a4, #8ab8f0);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font: .875rem/1.45 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text) }
a { color: var(--accent); text-underline-offset: .15em }
.skip, .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.arrow { white-space: nowrap }
.skip:focus { width: auto; height: auto; clip-path: none; left: 1rem; top: .5rem; background: var(--panel); padding: .25rem .5rem; z-index: 1 }
header, main, footer { max-width: 88rem; margin: 0 auto; padding: 0 1.5rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1.25rem; padding-top: 1.5rem }
h1 { font-size: 1.5rem; font-weight: 650; margin: 0; letter-spacing: -.015em; min-width: 0; overflow-wrap: anywhere }
h2 { font-size: 1.05rem; font-weight: 650; margin: 2.25rem 0 .6rem; display: flex; flex-wrap: wrap; gap: .6rem; align-items: baseline }
h2 small, .quiet { color: var(--quiet); font-weight: 400; font-size: .86rem }
#live { margin-left: auto }
.state::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; margin-right: .45em; background: currentColor }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }
.notice { border-left: 3px solid var(--warn); background: var(--panel); padding: .5rem .75rem; margin: .75rem 0; overflow-wrap: anywhere }
form.filters { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: .25rem 0 .75rem }
form.filters label { display: grid; gap: .1rem; font-size: .78rem; color: var(--quiet); flex: 1 1 8rem; max-width: 13rem }
form.filters a { padding: .3rem .25rem }
input, button { font: inherit; font-size: .93rem; line-height: 1.3; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: .3rem .55rem; min-width: 0 }
input { color: var(--text) }
input::placeholder { color: var(--quiet); opacity: 1 }
button { cursor: pointer }
button:hover { border-color: var(--accent) }
button[aria-disabled] { opacity: .5; cursor: default }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px }
table { border-collapse: collapse; width: 100%; margin: 0 0 1rem }
th, td { text-align: left; padding: .38rem .9rem .38rem 0; vertical-align: baseline; overflow-wrap: anywhere }
td[data-label] { min-width: 7rem }
td[data-label="receiver"], td[data-label="host"] { min-width: 9.5rem }
td.number[data-label], td[data-label="alert"], #pods td[data-label="since"], #pods td[data-label="last update"] { min-width: 0; white-space: nowrap }
.state { white-space: nowrap }
th { font-size: .78rem; font-weight: 500; color: var(--quiet); white-space: nowrap }
tbody tr { border-top: 1px solid var(--line) }
tbody tr:last-child { border-bottom: 1px solid var(--line) }
tr.read { color: var(--quiet) }
#pods .name { font-weight: 600 }
#pods td:first-child { min-width: 15rem }
#pods td[data-label="last change"] { min-width: 15rem }
#pods td[data-label="state"] { min-width: 17rem }
#pods th.number, #pods td.number { padding-right: 1.1rem }
#pods td[data-label="since"], #pods td[data-label="last update"] { color: var(--quiet) }
#pods tr.alarm td[data-label="alert"] { color: var(--bad) }
#pods summary { color: inherit; font-size: inherit; list-style: none; text-decoration: underline dotted; text-underline-offset: .2em }
#pods summary::-webkit-details-marker { display: none }
#pods td.number summary { margin-left: auto }
tr.alarm { background: var(--bad-ground); box-shadow: inset 3px 0 var(--bad) }
tr.alarm td:first-child { padding-left: .75rem }
th.number, td.number, time { font-variant-numeric: tabular-nums }
th.number, td.number { text-align: right; width: 1%; padding-right: 1.75rem }
td time { white-space: nowrap }
td.buttons { white-space: nowrap; text-align: right; padding-right: .5rem }
td.buttons button { padding: .12rem .5rem; font-size: .86rem; min-height: 1.75rem }
ol.changes { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line) }
ol.changes > li { display: grid; grid-template-columns: 7.2rem 4.6rem 1fr; gap: 0 .75rem; align-items: baseline; padding: .38rem 0; border-bottom: 1px solid var(--line) }
ol.changes .what { min-width: 0; overflow-wrap: anywhere }
ol.changes [data-slot="key"] { font-weight: 600 }
ol.changes [data-slot="time"] { color: var(--quiet); font-size: .86rem }
ol.changes .by { margin-left: .4rem }
.action { font-size: .86rem }
.action.added { color: var(--good) } .action.deleted { color: var(--bad) } .action.updated { color: var(--accent) }
.fresh { animation: fresh 2.5s ease-out }
@keyframes fresh { from { background: light-dark(#fff4cc, #3a3520) } }
@media (prefers-reduced-motion: reduce) { .fresh { animation: none } }
pre { margin: .35rem 0 .25rem; padding: .5rem .75rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; font: .893rem/1.5 var(--mono); max-height: 30rem }
pre span { display: inline-block; min-width: 100% }
pre .add { background: var(--add) } pre .del { background: var(--del) } pre .file { color: var(--quiet) }
summary { cursor: pointer; color: var(--quiet); font-size: .86rem; width: fit-content }
summary:hover { color: var(--accent) }
.further { display: flex; gap: 1rem; margin-top: .6rem }
.empty { color: var(--quiet); margin: .5rem 0 }
dialog { color: var(--text); background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem; width: min(60rem, 92vw); max-height: 80vh }
dialog::backdrop { background: #0006 }
.login { max-width: 26rem; padding-top: 12vh }
footer { color: var(--quiet); font-size: .86rem; padding-top: 2rem; padding-bottom: 2rem }
footer a { color: inherit }
@media (max-width: 74rem) {
  #pods td:first-child, #pods td[data-label="last change"] { min-width: 9rem }
  #pods td[data-label="state"] { min-width: 10rem }
}
@media (max-width: 60rem) {
  header, main, footer { padding-left: .9rem; padding-right: .9rem }
  ol.changes > li { grid-template-columns: auto 1fr; gap: 0 .6rem }
  ol.changes .what { grid-column: 1 / -1 }
  ol.changes .by { margin-left: 0; display: block }
  form.filters label { flex-basis: 40%; max-width: none }
  table.stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  table.stack, table.stack tbody, table.stack tr, table.stack td { display: block }
  table.stack td, table.stack td.number { position: relative; padding: .05rem 0; text-align: left; width: auto }
  table.stack td[data-label] { padding-left: 7rem; min-height: 1.45em }
  table.stack td[data-label]:empty { display: none }
  #pods td.number summary { margin-left: 0 }
  table.stack td[data-label]::before { content: attr(data-label) " "; position: absolute; left: 0; color: var(--quiet); font-size: .86rem }
  table.stack tr { padding: .45rem 0 }
  table.stack tr.alarm { padding-left: .75rem }
  tr.alarm td:first-child { padding-left: 7rem }
  td.buttons { padding-top: .25rem }
  .state, td time { white-space: normal }
  summary { padding-block: .25rem }
}
@media print {
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere }
}
`;

/** In the format of a content security policy. */
export const styleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`;
