import { randomUUID } from 'node:crypto'

/** A message of the mailbox that is made for trying out. */
export interface SampleMessage {
  /** CRLF line ends. */
  readonly bytes: Uint8Array
  readonly dateMs: number
  readonly flags: readonly string[]
}

const HOUR_MS = 3_600_000
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

interface Draft {
  readonly hoursAgo: number
  readonly from: string
  readonly subject: string
  readonly flags: readonly string[]
  readonly more?: readonly string[]
  readonly type?: readonly string[]
  readonly body: readonly string[]
  /** Answers the draft of this number. */
  readonly answers?: number
}

const ATTACHMENT = Buffer.from('day;train;departs;arrives\r\nThursday;IC 712;08:14;11:42\r\nFriday;IC 721;17:09;20:38\r\n').toString('base64')

const DRAFTS: readonly Draft[] = [
  {
    hoursAgo: 73,
    from: 'Bob Miller <bob@example.org>',
    subject: 'Plans for the workshop',
    flags: ['\\Seen', '\\Answered'],
    body: [
      'Hello Alice,',
      '',
      'the room is ours from Thursday noon. Could you look through the list of',
      'participants before we send the invitation? I think two people are missing.',
      '',
      'Bob',
      '',
      '-- ',
      'Bob Miller, Example Organisation',
    ],
  },
  {
    hoursAgo: 50,
    from: 'Carol Jensen <carol@example.org>',
    subject: 'Re: Plans for the workshop',
    flags: ['\\Seen'],
    answers: 0,
    body: ['On Monday, Bob Miller wrote:', '> I think two people are missing.', '', 'From what I remember it is three: Dana, Erik and the speaker from Oslo.', '', 'Carol'],
  },
  {
    hoursAgo: 31,
    from: '=?UTF-8?Q?Ren=C3=A9e_Lef=C3=A8vre?= <renee@example.org>',
    subject: '=?UTF-8?Q?Caf=C3=A9_um_halb_zw=C3=B6lf=3F?=',
    flags: ['\\Flagged'],
    type: ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable'],
    body: ['Hallo Alice,', '', 'passt dir halb zw=C3=B6lf im Caf=C3=A9 an der Ecke? Ich bringe die Notizen mit, =', 'und den Kuchen.', '', 'Ren=C3=A9e'],
  },
  {
    hoursAgo: 26,
    from: 'Travel Desk <travel@example.org>',
    subject: 'Your timetable',
    flags: [],
    type: ['Content-Type: multipart/mixed; boundary="part-7f3a"'],
    body: [
      '--part-7f3a',
      'Content-Type: multipart/alternative; boundary="part-7f3b"',
      '',
      '--part-7f3b',
      'Content-Type: text/plain; charset=us-ascii',
      '',
      'Your trains are in the attached table. Seats are reserved in coach 4.',
      '',
      '--part-7f3b',
      'Content-Type: text/html; charset=us-ascii',
      '',
      '<p>Your trains are in the attached table.<br>Seats are reserved in <b>coach 4</b>.</p>',
      '',
      '--part-7f3b--',
      '',
      '--part-7f3a',
      'Content-Type: text/csv; name="timetable.csv"',
      'Content-Disposition: attachment; filename="timetable.csv"',
      'Content-Transfer-Encoding: base64',
      '',
      ATTACHMENT,
      '',
      '--part-7f3a--',
    ],
  },
  {
    hoursAgo: 9,
    from: 'Example Users <users@lists.example.org>',
    subject: '[users] Digest, issue 42',
    flags: [],
    more: ['List-Id: Example Users <users.lists.example.org>', 'Precedence: list'],
    type: ['Content-Type: multipart/digest; boundary="digest-42"'],
    body: [
      '--digest-42',
      '',
      'From: dana@example.org',
      'To: users@lists.example.org',
      'Subject: Which folder do drafts belong in?',
      'Date: Mon, 5 Jan 2026 09:08:07 +0000',
      'Message-ID: <drafts.42.1@lists.example.org>',
      '',
      'Mine keeps them on the server, my phone wants its own.',
      '',
      '--digest-42',
      '',
      'From: erik@example.org',
      'To: users@lists.example.org',
      'Subject: Re: Which folder do drafts belong in?',
      'Date: Mon, 5 Jan 2026 10:31:00 +0000',
      'Message-ID: <drafts.42.2@lists.example.org>',
      'In-Reply-To: <drafts.42.1@lists.example.org>',
      '',
      'Tell both to use the same one; every client has a setting for it.',
      '',
      '--digest-42--',
    ],
  },
  {
    hoursAgo: 2,
    from: 'Bob Miller <bob@example.org>',
    subject: 'Re: Plans for the workshop',
    flags: [],
    answers: 1,
    body: ['Three it is. The invitation goes out at five unless somebody shouts.', '', 'Bob'],
  },
]

/** A handful of messages to `user`, the newest a few hours old. */
export function sampleMail(user: string, nowMs: number): readonly SampleMessage[] {
  const address = user.includes('@') ? user : `${user}@example.org`
  const ids = DRAFTS.map(() => `<${randomUUID()}@example.org>`)
  return DRAFTS.map((draft, i) => {
    const dateMs = nowMs - draft.hoursAgo * HOUR_MS
    const parent = draft.answers === undefined ? undefined : ids[draft.answers]
    const lines = [
      `Return-Path: <${/<(.*)>/.exec(draft.from)?.[1] ?? draft.from}>`,
      `Date: ${dateText(new Date(dateMs))}`,
      `From: ${draft.from}`,
      `To: ${address}`,
      `Subject: ${draft.subject}`,
      `Message-ID: ${ids[i] ?? ''}`,
      ...(parent === undefined ? [] : [`In-Reply-To: ${parent}`, `References: ${parent}`]),
      ...(draft.more ?? []),
      'MIME-Version: 1.0',
      ...(draft.type ?? ['Content-Type: text/plain; charset=us-ascii']),
      '',
      ...draft.body,
      '',
    ]
    return { bytes: Buffer.from(lines.join('\r\n'), 'utf8'), dateMs, flags: draft.flags }
  })
}

/** RFC 5322 §3.3, in UTC. */
function dateText(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const day = `${DAYS[date.getUTCDay()] ?? ''}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ''} ${date.getUTCFullYear()}`
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
}
