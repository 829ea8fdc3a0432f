// npm openai: OpenAIRealtimeWS, which insists on TLS.

import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { Talk, address, wasCut } from './talk.mjs'

const connection = new OpenAIRealtimeWS(
  { model: 'any' },
  new OpenAI({ apiKey: 'none', baseURL: `${address}/v1` }),
)
const talk = new Talk(block =>
  connection.send({ type: 'input_audio_buffer.append', audio: block.toString('base64') }),
)
let said = ''

connection.on('conversation.item.input_audio_transcription.completed', event => talk.transcripts.push(event.transcript))
connection.on('response.created', () => {
  said = ''
  talk.began()
})
connection.on('response.output_audio.delta', event => talk.sounded(Buffer.from(event.delta, 'base64').length))
connection.on('response.output_audio_transcript.done', event => {
  said = event.transcript
})
connection.on('response.done', ({ response }) => {
  talk.interrupted ||= wasCut(response.status)
  talk.ended(said, response.status)
})
connection.on('error', error => talk.failed(error))

connection.socket.on('open', () => {
  connection.send({
    type: 'session.update',
    session: { type: 'realtime', instructions: 'Be brief.', output_modalities: ['audio'] },
  })
  talk.hold(() => connection.close())
})
