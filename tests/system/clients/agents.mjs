// npm @openai/agents-realtime: a RealtimeSession over its own WebSocket.

import { RealtimeAgent, RealtimeSession } from '@openai/agents-realtime'
import { Talk, socket, textOf } from './talk.mjs'

const session = new RealtimeSession(new RealtimeAgent({ name: 'Guide', instructions: 'Be brief.' }), {
  transport: 'websocket',
})
const talk = new Talk(block => session.sendAudio(new Uint8Array(block).buffer))

session.on('audio', event => talk.sounded(event.data.byteLength))
session.on('audio_interrupted', () => {
  talk.interrupted = true
})
session.on('error', event => talk.failed(event.error ?? event))
session.on('transport_event', event => {
  if (event.type === 'response.created') talk.began()
  if (event.type === 'response.done') talk.ended(textOf(event.response), event.response.status)
})

await session.connect({ apiKey: 'none', url: `${socket}/v1/realtime?model=any` })
await talk.hold(() => {
  // What the library made of it all: who said what, in its own history.
  const parts = session.history.filter(item => item.role === 'user').flatMap(item => item.content)
  talk.transcripts = parts.map(part => part.transcript ?? '')
})
