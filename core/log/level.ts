/** Levels from the least to the most urgent. */
export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof LEVELS)[number]

/** Whether a line of `level` is wanted where `threshold` is set. */
export function wanted(level: Level, threshold: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(threshold)
}
