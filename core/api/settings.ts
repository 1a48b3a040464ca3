import { z } from 'zod'

/** Where a secret is kept; the configuration never holds the secret itself. */
export type SecretSource = { readonly file: string } | { readonly env: string }

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4, kB: 1000, MB: 1e6, GB: 1e9 }

/** Milliseconds of `250ms`, `30s`, `5m`, `2h`, `1d` or a sum such as `1h30m`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined
  let total = 0
  for (const [, figure, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(figure) * (DURATION_UNITS[unit ?? ''] ?? 0)
  return Math.round(total)
}

/** Octets of `4096`, `512KiB`, `10MiB`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s?([A-Za-z]*)$/.exec(text)
  const unit = SIZE_UNITS[found?.[2] ?? '']
  return found === null || unit === undefined ? undefined : Math.round(Number(found[1]) * unit)
}

/** A span of time written `30s`; its value is milliseconds. A bare number is refused, because nobody can tell its unit. */
export function duration(): z.ZodType<number, string> {
  return z
    .string('expected a duration such as "30s", "5m" or "1h30m"')
    .meta({ pattern: '^(0|(\\d+(\\.\\d+)?(ms|s|m|h|d))+)$', examples: ['30s'] })
    .transform((text, ctx) => {
      const ms = parseDuration(text)
      if (ms !== undefined) return ms
      ctx.addIssue(`"${text}" is no duration; write it as "250ms", "30s", "5m" or "1h30m"`)
      return z.NEVER
    })
}

/** A number of octets written `10MiB`, or a bare number; its value is octets. */
export function size(): z.ZodType<number, string | number> {
  return z
    .union([z.int().nonnegative(), z.string().meta({ pattern: '^\\d+(\\.\\d+)?\\s?([KMGT]iB|[kMG]B|B)?$', examples: ['10MiB'] })], 'expected a size such as "10MiB"')
    .transform((given, ctx) => {
      const octets = typeof given === 'number' ? given : parseSize(given)
      if (octets !== undefined) return octets
      ctx.addIssue(`"${given}" is no size; write it as "4096", "512KiB" or "10MiB"`)
      return z.NEVER
    })
}

/** Permission bits written in octal, `0600` or `'0600'`; a decimal number is refused, because `600` and `0600` differ. */
export function fileMode(): z.ZodType<number, string> {
  return z
    .string('expected permission bits in octal, such as "0600"')
    .meta({ pattern: '^0?o?[0-7]{3,4}$', examples: ['0600'] })
    .transform((text, ctx) => {
      if (/^(?:0o?)?[0-7]{3,4}$/.test(text)) return Number.parseInt(text.replace(/^0o/, ''), 8)
      ctx.addIssue(`"${text}" are no permission bits; write them in octal, such as "0600"`)
      return z.NEVER
    })
}

/** A path; a relative one is relative to the configuration file that says it (`site.resolve(...)` makes it absolute). */
export function filePath(): z.ZodType<string, string> {
  return z
    .string('expected a path')
    .min(1, 'expected a path')
    .refine((text) => !text.includes('\0'), 'a path holds no NUL')
}

/** `{ file: ... }` or `{ env: ... }`; `site.secret(...)` reads it. */
export function secretSource(): z.ZodType<SecretSource, SecretSource> {
  return z.union(
    [z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })],
    'expected { file: PATH } or { env: VARIABLE }; a secret never stands in the configuration itself',
  )
}
