import { describeMailboxDriver } from 'mailwright/testing'
import { about } from '../lib/plugin.js'
import { MaildirDriver } from '../lib/store.js'

/** Work of the lane, done here. */
const lane = (services) => ({ run: (task, args) => task.run(services, args) })

describeMailboxDriver('maildir', {
  about,
  keeps: 'files',
  create: (services) => new MaildirDriver({ ...services, lane: lane(services), path: 'Maildir', delimiter: '/', machine: { host: 'mail.example.org', pid: process.pid } }),
})
describeMailboxDriver('maildir with dots between the parts of names', {
  about,
  keeps: 'files',
  create: (services) => new MaildirDriver({ ...services, lane: lane(services), path: '', delimiter: '.', machine: { host: 'mail.example.org', pid: process.pid } }),
})
