// Bar charts as SVG files that GitHub shows, in its light and its dark theme. Each group has a scale of
// its own: what is compared stands in one group.
const WIDTH = 760;
const LABEL = 170;
const BAR = 470;
const ROW = 22;
const HEAD = 34;
const GAP = 14;

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; }
  .unit, .value { fill: #59636e; }
  .ours { fill: #0969da; } .peer { fill: #afb8c1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .unit, .value { fill: #9198a1; }
    .ours { fill: #4493f8; } .peer { fill: #656c76; }
  }`;

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** `groups` are { title, unit, bars: [{ label, value, ours }] }; the shorter bar is the better. */
export function chart(groups) {
  let y = 0;
  const parts = [];
  for (const { title, unit, bars } of groups) {
    const longest = Math.max(...bars.map(({ value }) => value)) || 1;
    y += HEAD;
    parts.push(
      `<text class="title" x="0" y="${y - 12}">${escaped(title)} <tspan class="unit" font-weight="400">${escaped(unit)}</tspan></text>`,
    );
    for (const { label, value, ours } of bars) {
      const width = Math.max(1, (value / longest) * BAR).toFixed(1);
      parts.push(
        `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escaped(label)}</text>`,
        `<rect class="${ours ? 'ours' : 'peer'}" x="${LABEL}" y="${y + 3}" width="${width}" height="${ROW - 6}" rx="2"/>`,
        `<text class="value" x="${(LABEL + Number(width) + 6).toFixed(1)}" y="${y + 14}">${escaped(value)}</text>`,
      );
      y += ROW;
    }
    y += GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">
<title>${escaped(groups.map(({ title }) => title).join('; '))}</title>
<style>${style}
</style>
${parts.join('\n')}
</svg>
`;
}
