/** The idle loop: a clip of 250 frames that runs under everything, so that a reply can begin and end anywhere in it. */
import { FPS, RATE } from "./wire";

export const LOOP = 250;
/** Frames by which the loop may differ from where a reply ends before it is moved there. */
const NEAR = 2;

/** How far apart two frames of the loop are, the shorter way round. */
export function apart(one: number, other: number): number {
  const way = Math.abs(one - other) % LOOP;
  return Math.min(way, LOOP - way);
}

export class IdleLoop {
  private readonly video: HTMLVideoElement;

  constructor(failed: () => void) {
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, loop: true, playsInline: true, preload: "auto" });
    this.video.addEventListener("error", failed);
  }

  load(url: string): void {
    if (this.video.src === new URL(url, location.href).href) return;
    this.video.crossOrigin = "anonymous";
    this.video.src = url;
    this.play();
  }

  /** A browser that refuses shows the still picture; a hidden tab stops it, and so it is asked again later. */
  play(): void {
    if (this.video.paused && this.video.src) this.video.play().catch(() => undefined);
  }

  /** The picture to draw, or null before there is one. */
  get picture(): HTMLVideoElement | null {
    return this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? this.video : null;
  }

  /** Where it is, in samples at 24 kHz: what the playhead of turn 0 reports. */
  get pts(): number {
    return Math.round(this.video.currentTime * RATE);
  }

  get frame(): number {
    return Math.floor(this.video.currentTime * FPS) % LOOP;
  }

  /** Be at this frame now. */
  join(frame: number): void {
    if (apart(frame, this.frame) > NEAR) this.video.currentTime = (frame + 0.5) / FPS;
    this.play();
  }

  stop(): void {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
