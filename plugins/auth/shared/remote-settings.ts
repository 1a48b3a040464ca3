import { duration } from 'mailwright/api'
import { z } from 'zod'

/** Settings of every backend that asks somebody else. */
export const remoteSettings = {
  timeout: duration().prefault('10s').describe('Without an answer in this time the login fails as an outage.'),
  parallel: z.int().min(1).max(1000).default(16).describe('Questions at the same time; the others wait.'),
  fallthrough: z.boolean().default(false).describe('Ask the next backend also after a wrong password.'),
  cacheFor: duration().prefault('0').describe('How long an accepted password is remembered; 0: not at all.'),
  cacheEntries: z.int().min(1).max(1_000_000).default(10_000).describe('How many accepted passwords are remembered.'),
}
