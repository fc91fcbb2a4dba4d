// What every page needs: htmx with live updates, the CSRF token, local times, notices, theme, small manners.
import "./shell/shell.css";
import "./shell/live";
import { installManners } from "./shell/manners";
import { installNotices } from "./shell/notices";
import { installTheme } from "./shell/theme_toggle";
import { installTimes } from "./shell/times";

installTheme();
installTimes();
installNotices();
installManners();
