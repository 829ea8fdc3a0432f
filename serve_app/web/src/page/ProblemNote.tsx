/** One sentence about what went wrong, and what helps. */
import { CloseIcon } from "./Icons";
import { useWords } from "./language";
import { useAvatar, usePart } from "./useAvatar";

export function ProblemNote() {
  const words = useWords();
  const avatar = useAvatar();
  const problem = usePart("problem");
  const again = problem?.code.includes("microphone");
  return (
    <div id="problem" role="alert" hidden={!problem}>
      {problem && (
        <>
          <p>
            {words.problems[problem.code]} {problem.code !== "needs_key" && problem.text}
          </p>
          {again && (
            <button type="button" onClick={() => void avatar.talking.retry()}>
              {words.tryAgain}
            </button>
          )}
          <button type="button" className="round" aria-label={words.dismiss} onClick={() => avatar.clearProblem()}>
            <CloseIcon />
          </button>
        </>
      )}
    </div>
  );
}
