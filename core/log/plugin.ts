import { z } from 'zod'
import { definePlugin, fileMode, filePath, logSinks } from '../api/index.js'
import { LEVELS } from './level.js'
import { FileSink } from './sinks/file-sink.js'
import { StreamSink } from './sinks/stream-sink.js'

const level = z.enum(LEVELS).default('info').describe('The least urgent lines that are written.')

const stderrSettings = z.strictObject({
  level,
  format: z
    .enum(['auto', 'human', 'json', 'journal'])
    .default('auto')
    .describe('auto: for people, or with priorities when the systemd journal reads; json: one object per line.'),
})
const fileSettings = z.strictObject({
  path: filePath().describe('File that lines are added to; it may be moved away at any time.'),
  mode: fileMode().prefault('0640').describe('Permission bits of a new file.'),
  level,
  format: z.enum(['human', 'json']).default('human').describe('human: for people; json: one object per line.'),
})

/** Log lines on standard error and in files. */
export default definePlugin({
  id: 'core-log',
  api: '1.0',
  summary: 'log lines on standard error and in files',
  setup(p) {
    p.to(logSinks).contribute({
      name: 'stderr',
      settings: stderrSettings,
      create: (settings) => new StreamSink(process.stderr, settings),
    })
    p.to(logSinks).contribute({
      name: 'file',
      settings: fileSettings,
      create: (settings, _, site) =>
        FileSink.open({ ...settings, path: site.resolve(settings.path), failed: (error) => site.warn(`cannot write the log file: ${error instanceof Error ? error.message : String(error)}`) }),
    })
  },
})
