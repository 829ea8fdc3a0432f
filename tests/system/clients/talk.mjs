// What every client for Node is put through: three spoken questions, the last one over the answer to the second.
// The same course as in talk.py. It knows no client: a script gives it the way to send a block of sound, and tells it
// what its library told.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const [url, folder] = process.argv.slice(2)
const BLOCK_MS = 20
const BLOCK = 960 // bytes of 20 ms, PCM16 mono at 24 kHz
const OVER_MS = 500 // of the long answer before it is spoken over
const MOST_MS = 120_000

export const address = url
export const socket = url.replace('http', 'ws')

export class Talk {
  transcripts = []
  replies = []
  statuses = []
  errors = []
  interrupted = false
  audio_bytes = 0
  #microphone = Buffer.alloc(0)
  #soundBegan = 0
  #soundBytes = 0 // of the newest reply
  #send

  /** `send` takes a Buffer of 20 ms. */
  constructor(send) {
    this.#send = send
  }

  began() {
    this.#soundBytes = 0
  }

  sounded(count) {
    if (!this.#soundBytes) this.#soundBegan = performance.now()
    this.#soundBytes += count
    this.audio_bytes += count
  }

  ended(text, status) {
    this.replies.push(text)
    this.statuses.push(status)
  }

  failed(error) {
    this.errors.push(error instanceof Error ? String(error.stack) : JSON.stringify(error))
  }

  /** Holds the conversation, prints what came of it as one line of JSON, and ends the program. */
  async hold(before = () => {}) {
    const tooLong = setTimeout(() => this.failed('the conversation did not come to its end'), MOST_MS)
    const listening = this.#listen()
    await this.#course()
    clearTimeout(tooLong)
    clearInterval(listening)
    before()
    process.stdout.write(JSON.stringify(this) + '\n', () => process.exit(0))
  }

  async #course() {
    this.#say('sum')
    await this.#until(() => this.replies.length === 1 && this.#soundBytes > 0)
    await sleep(Math.max(this.#soundBegan + this.#soundBytes / 48 - performance.now(), 0) + 500)
    this.#soundBytes = 0
    this.#say('long')
    await this.#until(() => this.#soundBytes > 0)
    await sleep(OVER_MS)
    this.#say('stop')
    await this.#until(() => this.replies.length >= 3 && this.statuses.at(-1) === 'completed')
  }

  #say(name) {
    this.#microphone = Buffer.concat([this.#microphone, readFileSync(`${folder}/${name}.pcm`)])
  }

  async #until(true_) {
    while (!true_() && !this.errors.length) await sleep(BLOCK_MS)
  }

  /** The microphone: what is said, else silence, in real time. */
  #listen() {
    let due = performance.now()
    return setInterval(() => {
      for (; due <= performance.now(); due += BLOCK_MS) {
        const block = Buffer.alloc(BLOCK)
        this.#microphone.copy(block, 0, 0, BLOCK)
        this.#microphone = this.#microphone.subarray(BLOCK)
        this.#send(block)
      }
    }, BLOCK_MS)
  }
}

/** The text of a finished response. */
export const textOf = response =>
  response.output.flatMap(item => item.content ?? []).map(part => part.transcript ?? part.text ?? '').join(' ')

export const wasCut = status => status === 'cancelled' || status === 'incomplete'
