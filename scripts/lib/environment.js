/** Whether this is a run of continuous integration, where nothing may be left out. */
export function isCi() {
  return !['', '0', 'false', undefined].includes(process.env.CI);
}
