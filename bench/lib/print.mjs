// Results for a person at a terminal.

const verdicts = new Map([
  [true, 'met'],
  [false, 'MISSED'],
  [null, 'not judged'],
]);

export function printResult(result, judged) {
  const unit = result.metric.replaceAll('_', ' ');
  const figure = result.pollux ?? `absent: ${result.detail.absent.pollux}`;
  console.log(`  ${result.variant} (${unit}, ${result.rounds} rounds): ${figure}`);
  for (const [peer, value] of Object.entries(result.peers)) {
    const ratio = result.ratios[peer];
    const spread = ratio == null ? '' : ` (${result.detail.spread[peer]})`;
    const bound = judged.find(({ of }) => of === peer);
    const verdict = bound === undefined ? '' : `  bound ${bound.limit}: ${verdicts.get(bound.met)}`;
    console.log(
      `    ${peer.padEnd(12)} ${String(value).padStart(9)}  ratio ${ratio ?? '-'}${spread}${verdict}`,
    );
  }
  for (const { of, limit, met } of judged) {
    if (of === 'pollux') {
      console.log(`    bound ${limit}: ${verdicts.get(met)}`);
    } else if (result.peers[of] === undefined) {
      const why = result.detail.absent?.[of] ?? 'absent';
      console.log(`    ${of.padEnd(12)} ${'-'.padStart(9)}  bound ${limit}: not judged, ${why}`);
    }
  }
}

export function printBounds(judged) {
  const count = (verdict) => judged.filter(({ met }) => met === verdict).length;
  console.log(`\nbounds: ${count(true)} met, ${count(false)} missed, ${count(null)} not judged`);
}
