/**
 * Seconds that each suite of a soak goes on, and that every test may take longer: `npm test -- --seconds N`. With
 * `npm run test:long` all of them together take half an hour.
 */
export const soakSeconds = Number(process.env['SOAK_SECONDS'] || 5);
