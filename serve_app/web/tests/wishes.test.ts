import { expect, test } from "vitest";
import { asked, differing, NO_WISHES } from "../src/client/wishes";

const usual = { type: "server_vad", silence_duration_ms: 500 };

test("a wish becomes the part of a session.update that asks for it, and nothing else", () => {
  expect(asked({}, usual)).toEqual({});
  expect(asked({ voice: "anna" }, usual)).toEqual({ audio: { output: { voice: "anna" } } });
  expect(asked({ persona: "museum", avatar: "own-1", language: "es" }, usual)).toEqual({
    avatar: { persona: "museum", id: "own-1", language: "es" },
  });
  expect(asked({ detection: "quick", instructions: "Rhyme." }, usual)).toEqual({
    instructions: "Rhyme.",
    audio: { input: { turn_detection: { type: "server_vad", silence_duration_ms: 300 } } },
  });
});

test("a wish is taken back by asking for what the service has by itself", () => {
  expect(asked({ voice: "", detection: "usual", instructions: "", avatar: "" }, usual)).toEqual({
    instructions: "",
    audio: { input: { turn_detection: usual }, output: { voice: "default" } },
    avatar: { id: "" },
  });
});

test("a new session is asked only for what differs from it", () => {
  expect(differing(NO_WISHES)).toEqual({});
  expect(differing({ ...NO_WISHES, persona: "museum", detection: "complete" })).toEqual({
    persona: "museum",
    detection: "complete",
  });
  expect(asked({ detection: "complete" }, usual)).toEqual({
    audio: { input: { turn_detection: { type: "semantic_vad" } } },
  });
});
