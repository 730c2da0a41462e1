"""The looks of the report, in light and in dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --bg: #f6f7fa; --panel: #fff; --text: #191c24; --dim: #626979; --line: #e1e4ec; --track: #eef0f5;
  --value: #4053e8; --same: #12805c; --other: #8b90a0; --none: #b8730a; --self: #2bb3cf; --chance: #c2448f;
  --warn: #fff4dc; --warn-text: #7a4d00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #13151a; --panel: #1b1e25; --text: #e9ebf1; --dim: #a0a7b6; --line: #31353f; --track: #262a33;
    --value: #8b9bff; --same: #4fc79b; --other: #8d93a3; --none: #e5a84b; --self: #3d9ae0; --chance: #e27fbd;
    --warn: #3a2c10; --warn-text: #f3d193;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 36px 22px 72px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.01em; }
h2 { font-size: 18px; margin: 0 0 4px; }
h3 { font-size: 14px; margin: 18px 0 8px; }
p { margin: 0 0 12px; color: var(--dim); max-width: 78ch; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 14px; padding: 22px; margin: 18px 0; }
.note {
  background: var(--warn); color: var(--warn-text); border-radius: 10px; padding: 10px 14px; margin: 12px 0;
  font-weight: 500;
}
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; margin: 20px 0 0; }
.number { background: var(--panel); border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px; }
.number b { display: block; font-size: 32px; line-height: 1.15; letter-spacing: -.02em; }
.number span { display: block; }
.number small { color: var(--dim); font-size: 13px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--dim); font-weight: 600; font-size: 13px; }
td, th { padding: 7px 8px; border-bottom: 1px solid var(--line); vertical-align: middle; }
tbody tr:last-child td { border-bottom: 0; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.value { font-weight: 650; font-size: 16px; }
.ci { color: var(--dim); font-size: 13px; }
.network { color: var(--dim); font-size: 13px; overflow-wrap: anywhere; }
.results td { padding: 5px 8px; line-height: 1.3; }
.group td.head { padding-top: 18px; vertical-align: bottom; font-weight: 650; border-bottom-color: var(--text); }
.group .why { font-weight: 400; color: var(--dim); font-size: 13px; margin-left: 8px; }
.results { table-layout: fixed; }
.ruler { position: relative; height: 16px; font-size: 11px; font-weight: 400; color: var(--dim); }
.ruler span { position: absolute; transform: translateX(-50%); margin: 0; font-size: 11px; }
.small .ruler span:nth-child(even) { display: none; }
.results .axis { width: 40%; }
.results svg, .small svg { display: block; width: 100%; height: 30px; }
.small svg { height: 22px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 10px 0 2px; font-size: 13px; color: var(--dim); }
.legend i { display: inline-block; width: 16px; height: 10px; border-radius: 3px; margin-right: 6px; }
.sheet { display: grid; grid-template-columns: repeat(5, 1fr); gap: 12px; }
figure { margin: 0; min-width: 0; }
figure .frame {
  position: relative; border-radius: 10px; overflow: hidden; background: var(--track); aspect-ratio: 4/5;
}
figure .frame img { width: 100%; height: 100%; object-fit: cover; display: block; }
figure .frame img.reference {
  position: absolute; width: 30%; height: auto; aspect-ratio: 1; right: 7px; bottom: 7px; border-radius: 8px;
  border: 2px solid #fff;
}
figure .frame b {
  position: absolute; left: 7px; top: 7px; background: #0009; color: #fff; border-radius: 7px; padding: 1px 8px;
  font-variant-numeric: tabular-nums;
}
figcaption { font-size: 12px; color: var(--dim); margin-top: 5px; line-height: 1.35; }
figcaption b { color: var(--text); font-weight: 600; display: block; }
figcaption, figcaption b { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 18px; }
.two section { margin: 0; min-width: 0; }
.settings { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0; }
.settings dt { color: var(--dim); }
.settings dd { margin: 0; overflow-wrap: anywhere; }
code { font-size: 12px; overflow-wrap: anywhere; color: var(--dim); }
details summary { cursor: pointer; font-weight: 600; }
.apart { border-style: dashed; }
.apart .stamp {
  display: inline-block; border: 1.5px solid var(--none); color: var(--none); border-radius: 6px; padding: 0 8px;
  font-weight: 700; font-size: 12px; letter-spacing: .05em; text-transform: uppercase; margin-left: 8px;
  vertical-align: 2px;
}
@media (max-width: 760px) { .sheet { grid-template-columns: repeat(3, 1fr); } .two { grid-template-columns: 1fr; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
