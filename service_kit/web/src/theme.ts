// Sets light or dark before anything is drawn. A plain script without imports: it must not wait for modules.
{
  const chosen = (() => {
    try {
      return localStorage.getItem("cohortflow-theme");
    } catch {
      return null; // storage may be forbidden; then the system decides
    }
  })();
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const show = (choice: string | null): void => {
    const isDark = choice === "dark" || (choice !== "light" && system.matches);
    root.dataset.bsTheme = isDark ? "dark" : "light";
    root.dataset.themeChoice = choice === "dark" || choice === "light" ? choice : "auto";
  };
  show(chosen);
  system.addEventListener("change", () => {
    if (root.dataset.themeChoice === "auto") show(null);
  });
}
