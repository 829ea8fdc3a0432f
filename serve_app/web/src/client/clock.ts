/** Which sample of the reply is leaving the loudspeaker now: not those that went into it, those that are heard. */
import type { Report } from "./speaker-queue";
import { RATE } from "./wire";

export interface Output {
  currentTime: number;
  outputLatency?: number;
  getOutputTimestamp?: () => { contextTime?: number };
}

/** The context's time of the sound that is heard at this moment. */
export function audibleTime(output: Output): number {
  const { contextTime } = output.getOutputTimestamp?.() ?? {};
  return contextTime ?? output.currentTime - (output.outputLatency ?? 0);
}

/** Samples of the reply that were heard at `time`, by the newest report. Never more than went in. */
export function heardAt(report: Pick<Report, "pts" | "time" | "playing">, time: number): number {
  if (!report.playing) return report.pts;
  const passed = Math.min((time - report.time) * RATE, 0);
  return Math.max(0, report.pts + passed);
}
