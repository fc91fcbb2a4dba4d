// The button that goes through: as the system, light, dark. `theme.ts` has set the first state already.

const CHOICES = ["auto", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];
const NAMES: Record<Choice, string> = { auto: "as the system", light: "light", dark: "dark" };

function current(): Choice {
  const choice = document.documentElement.dataset.themeChoice;
  return CHOICES.find((one) => one === choice) ?? "auto";
}

function show(button: HTMLElement): void {
  const choice = current();
  button.title = button.ariaLabel = `Colours: ${NAMES[choice]}`;
  for (const icon of button.querySelectorAll<HTMLElement>("[data-theme-icon]")) {
    icon.hidden = icon.dataset.themeIcon !== choice;
  }
}

function choose(choice: Choice): void {
  const root = document.documentElement;
  const isDark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.themeChoice = choice;
  root.dataset.bsTheme = isDark ? "dark" : "light";
  try {
    if (choice === "auto") localStorage.removeItem("cohortflow-theme");
    else localStorage.setItem("cohortflow-theme", choice);
  } catch {
    // storage may be forbidden; the choice then lasts for this page
  }
}

export function installTheme(): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-toggle]")) {
    show(button);
    button.addEventListener("click", () => {
      choose(CHOICES[(CHOICES.indexOf(current()) + 1) % CHOICES.length] ?? "auto");
      show(button);
    });
  }
}
