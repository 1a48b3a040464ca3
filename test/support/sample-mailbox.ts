/** A traditional mailbox as an MTA leaves it: three messages without any flag. */
export const SAMPLE_MAILBOX = `From carol@example.org Mon Jan  5 09:08:07 2026
Received: from mx.example.org by mail.example.org; Mon, 5 Jan 2026 09:08:07 +0000
From: Carol Example <carol@example.org>
To: alice@example.org
Subject: Minutes of Monday
Date: Mon, 5 Jan 2026 09:08:00 +0000
Message-ID: <minutes.1@example.org>
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

We agreed on a new tea kettle.
>From now on Bob makes the tea.

From dave@example.org Tue Jan  6 10:00:00 2026
From: =?utf-8?Q?Dav=C3=A9?= <dave@example.org>
To: alice@example.org
Subject: Plans with a picture
Date: Tue, 6 Jan 2026 10:00:00 +0100
Message-ID: <plans.2@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=-b-="

--=-b-=
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Caf=E9 at noon?
--=-b-=
Content-Type: image/png; name="dot.png"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="dot.png"

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9
awAAAABJRU5ErkJggg==
--=-b-=--

From erin@example.org Wed Jan  7 11:12:13 2026
From: erin@example.org
To: alice@example.org
Subject: Short
Date: Wed, 7 Jan 2026 11:12:13 +0000
Message-ID: <short.3@example.org>

Yes.

`

/** Subjects of a mailbox file's messages, the internal first message left out, in order. */
export function subjectsIn(mailbox: string): string[] {
  return messagesIn(mailbox).map((m) => /^Subject: (.*)$/m.exec(m)?.[1] ?? '(none)')
}
/** The messages of a mailbox file with their From lines; the internal first message is left out. */
export function messagesIn(mailbox: string): string[] {
  return mailbox
    .split(/^(?=From \S+ +\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}(?: [+-]\d{4})?$)/m)
    .filter((m) => m.startsWith('From ') && !m.includes("Subject: DON'T DELETE THIS MESSAGE"))
}
/** Letters of Status and X-Status of one message, sorted. */
export function statusOf(message: string): string {
  const header = message.slice(0, message.search(/\n\r?\n/))
  return [...header.matchAll(/^(?:X-)?Status: *([A-Z]*)/gm)]
    .map((m) => m[1] ?? '')
    .join('')
    .split('')
    .sort()
    .join('')
}
