// Preloaded into a program: each SIGUSR2 moves its wall clock, forward a day, then back two, then forward one.
const dayMs = 86_400_000;
const jumps = [dayMs, -2 * dayMs, dayMs];
const now = Date.now.bind(Date);
let shiftMs = 0;
Date.now = () => now() + shiftMs;
process.on('SIGUSR2', () => {
  shiftMs += jumps.shift() ?? 0;
  process.stderr.write(`clock moved by ${shiftMs} ms\n`);
});
