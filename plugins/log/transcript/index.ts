import { definePlugin, filePath, size, transcripts } from 'mailwright/api'
import { z } from 'zod'
import { TranscriptFiles } from './transcript-files.js'

/** What clients and server say, in files. */
export default definePlugin({
  id: 'log-transcript',
  api: '1.0',
  summary: 'what clients and server say, one file per session, without passwords',
  setup(p) {
    p.to(transcripts).contribute({
      name: 'transcript',
      settings: z.strictObject({
        directory: filePath().describe('Folder for <host>/<user>/<time>-<session>.log. It holds the mail that clients read: mode 0700.'),
        users: z.array(z.string().min(1)).optional().describe('Only sessions of these users; without it everybody.'),
        hosts: z.array(z.string().min(1)).optional().describe('Only sessions on these virtual hosts; without it all.'),
        most: size().prefault('10MiB').describe('Octets of one file; what comes later is not recorded.'),
      }),
      create: ({ directory, ...rest }, _needs, site) => new TranscriptFiles({ ...rest, directory: site.resolve(directory), failed: (text) => site.warn(text) }),
    })
  },
})
