/** The canvas: the idle loop, the reply's pictures over it, and the fade between the two. */
import type { Shown } from "./decoder";
import { Fade } from "./fade";
import type { IdleLoop } from "./idle";

export class Painter {
  readonly fade = new Fade();
  private readonly context: CanvasRenderingContext2D;
  private last: Shown | null = null;
  private idleAt = -1;
  private readonly canvas: HTMLCanvasElement;
  private readonly idle: IdleLoop;

  constructor(canvas: HTMLCanvasElement, idle: IdleLoop) {
    this.canvas = canvas;
    this.idle = idle;
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser gives no 2D canvas");
    this.context = context;
  }

  size(width: number, height: number): void {
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** Draw what is to be seen now; `due` is the reply's next picture, if there is one, and is closed here. */
  draw(due: Shown | null, ms: number): void {
    if (due) {
      this.last?.image.close();
      this.last = due;
    }
    const mix = this.last ? this.fade.now(ms) : 0;
    if (mix < 1) this.drawIdle(mix > 0);
    if (this.last && mix > 0 && (due || mix < 1)) this.drawImage(this.last.image, mix);
    if (mix === 0 && !this.fade.speaking) this.forget();
  }

  /** The reply's last picture is held no longer. */
  forget(): void {
    this.last?.image.close();
    this.last = null;
  }

  private drawIdle(always: boolean): void {
    const { picture, pts } = this.idle;
    if (!picture || (!always && pts === this.idleAt)) return;
    this.idleAt = pts;
    this.drawImage(picture, 1);
  }

  /** The coded height may be one row more than the picture's; that row is cut off. */
  private drawImage(image: CanvasImageSource, alpha: number): void {
    const { width, height } = this.canvas;
    this.context.globalAlpha = alpha;
    this.context.drawImage(image, 0, 0, width, height, 0, 0, width, height);
  }
}
